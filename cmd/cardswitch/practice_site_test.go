package main

import (
	"strings"
	"testing"

	"cardswitch/switch/link/warm"
)

// A site that can't reach an issuer over a link that it keeps ready isn't ready; one that keeps
// none may be, and the report says that it isn't known.
func TestASiteThatDoesNotReachIssuers(t *testing.T) {
	find := func(there *siteReady) (ok bool, found string) {
		for _, c := range compareSites("node 4", &siteReady{}, there) {
			if strings.Contains(c.What, "reaches the issuers") {
				return c.OK && c.Hint == "", c.Found
			}
		}
		t.Fatal("it isn't looked at")
		return false, ""
	}
	up := warm.Status{Link: "sakura/primary", Ready: true}
	down := warm.Status{Link: "momiji/primary", LastError: "connection refused"}
	ok, found := find(&siteReady{Warm: []warm.Status{up}})
	if !ok || !strings.Contains(found, "1 of 1") {
		t.Error(ok, found)
	}
	ok, found = find(&siteReady{Warm: []warm.Status{up, down}})
	if ok || !strings.Contains(found, "momiji/primary") || !strings.Contains(found, "refused") {
		t.Error(ok, found)
	}
	if ok, found := find(&siteReady{}); !ok || !strings.Contains(found, "isn't known") {
		t.Error(ok, found)
	}
}
