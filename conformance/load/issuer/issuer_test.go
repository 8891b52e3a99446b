package issuer_test

import (
	"context"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cardswitch/conformance/load/issuer"
	"cardswitch/conformance/load/wire"
)

// ask sends one request and returns type and action code of the answer.
func ask(t *testing.T, conn net.Conn, mti string, elements ...wire.Element) string {
	t.Helper()
	frame, err := wire.Build(mti, elements...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 0, 1024)
	for {
		n, err := conn.Read(buffer[len(buffer):cap(buffer)])
		if err != nil {
			t.Fatal(err)
		}
		buffer = buffer[:len(buffer)+n]
		var m wire.Message
		if body, _ := wire.Next(buffer); body != nil {
			if !m.Scan(body) {
				t.Fatal("the answer can't be walked")
			}
			return string(body[:4]) + "/" + string(m.Data(39))
		}
	}
}

func TestCountsWhatItSees(t *testing.T) {
	i, err := issuer.Listen([]string{"127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- i.Serve(ctx) }()
	conn, err := net.Dial("tcp", i.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sale := func(reference string) []wire.Element {
		return []wire.Element{{Number: 4, Value: "000000000150"}, {Number: 11, Value: "000001"},
			{Number: 37, Value: reference}}
	}
	original := wire.Element{Number: 56, Value: "1200000001260101000000" + "03900"}
	steps := []struct {
		mti      string
		elements []wire.Element
		want     string
	}{
		{"1804", []wire.Element{{Number: 11, Value: "000001"}, {Number: 24, Value: "801"}}, "1814/800"},
		{"1200", sale("000000000001"), "1210/000"},
		{"1200", sale("001000000001"), "1210/000"},
		{"1201", sale("000000000001"), "1210/000"},
		{"1200", sale("999999999999"), "1210/000"},
		{"1420", append(sale("000000000001"), original), "1430/400"},
		{"1221", sale("000000000002"), "1230/900"},
	}
	for _, s := range steps {
		if got := ask(t, conn, s.mti, s.elements...); got != s.want {
			t.Errorf("%s is answered %s, want %s", s.mti, got, s.want)
		}
	}
	want := issuer.Report{
		Postings: 3, Amount: 450, Duplicates: 1, Reversals: 1, Advices: 1, Network: 1,
	}
	if diff := cmp.Diff(want, i.Report()); diff != "" {
		t.Error(diff)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
