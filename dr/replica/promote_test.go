package replica

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/store"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// A site that was lost in the middle of a change of its members leaves that in the log of the one
// that is promoted. It must not count there: its vote would be asked for and never given.
func TestAPromotedSiteForgetsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := store.Memory()
		s := openStore(t, disk)
		r := &Replica{config: Config{Cluster: "tokyo", Generation: 1, Node: 3, Members: []Member{
			{ID: 1, Kind: Data}, {ID: 2, Kind: Data}, {ID: 3, Kind: Learner}}}, machine: s, log: s.Log()}
		if err := r.found(); err != nil {
			t.Fatal(err)
		}
		five := Member{ID: 5, Kind: Data}
		change, err := proto.Marshal(&pb.ConfChange{Type: pb.ConfChangeAddNode.Enum(),
			NodeId: new(five.ID), Context: five.Append(nil)})
		if err != nil {
			t.Fatal(err)
		}
		last, _ := s.Log().LastIndex()
		err = s.Log().Append([]*pb.Entry{{Index: new(last + 1), Term: new(uint64(1)),
			Type: pb.EntryConfChange.Enum(), Data: change}}, nil)
		if err == nil {
			err = s.Promote(store.Promotion{Generation: 2})
		}
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		s = openStore(t, disk)
		defer s.Close()
		if r, err = Start(Config{Cluster: "tokyo", Node: 3}, s, Nobody{}); err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		time.Sleep(time.Minute)
		if st := r.Status(); !st.Active || !slices.Equal(r.core.conf.GetVoters(), []uint64{3}) ||
			s.Log().Member(5).Kind != 0 {
			t.Errorf("votes of %v are asked for, its role is %s", r.core.conf.GetVoters(), st.Role)
		}
	})
}
