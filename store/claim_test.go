package store

import (
	"slices"
	"testing"

	"cardswitch/store/raftlog"
)

func FuzzFormerMembers(f *testing.F) {
	f.Add(appendMembers(nil, []raftlog.Member{{ID: 1, Kind: raftlog.Data, Address: "10.0.0.1:7400"},
		{ID: 3, Kind: raftlog.Witness}}))
	f.Add([]byte{0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseMembers(b)
		if err != nil {
			return
		}
		again, err := parseMembers(appendMembers(nil, list))
		if err != nil || !slices.Equal(again, list) {
			t.Errorf("%v, then %v: %v", list, again, err)
		}
	})
}
