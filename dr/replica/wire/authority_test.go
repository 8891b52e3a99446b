package wire

import "testing"

// A certificate for one more node is of the cluster that the authority was made for.
func TestAnAuthorityKnowsItsCluster(t *testing.T) {
	made, err := NewAuthority("tokyo east")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := made.PEM()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseAuthority(cert, key)
	if err != nil || read.Cluster() != "tokyo east" {
		t.Errorf("the cluster is %q, %v", read.Cluster(), err)
	}
}
