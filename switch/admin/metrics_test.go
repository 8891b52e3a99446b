package admin

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"cardswitch/switch/link"
)

func TestLinkMetrics(t *testing.T) {
	status := link.Status{Centers: []link.CenterStatus{{Name: "issuer-sakura",
		Lines: []link.LineStatus{
			{Name: "primary", State: link.SignedOn.String(), Counters: link.Counters{FramesIn: 7},
				Links: []link.LinkStatus{{InFlight: 2}, {InFlight: 3}}},
			{Name: "standby", State: link.Down.String(), Sick: true},
		}}}}
	metrics := NewLinkMetrics(func() link.Status { return status })
	want := `
# HELP cardswitch_link_in_flight Requests that wait for their answer.
# TYPE cardswitch_link_in_flight gauge
cardswitch_link_in_flight{center="issuer-sakura",link="primary"} 5
cardswitch_link_in_flight{center="issuer-sakura",link="standby"} 0
# HELP cardswitch_link_received_messages_total Messages that came.
# TYPE cardswitch_link_received_messages_total counter
cardswitch_link_received_messages_total{center="issuer-sakura",link="primary"} 7
cardswitch_link_received_messages_total{center="issuer-sakura",link="standby"} 0
# HELP cardswitch_link_signed_on Whether the link is ready for requests.
# TYPE cardswitch_link_signed_on gauge
cardswitch_link_signed_on{center="issuer-sakura",link="primary"} 1
cardswitch_link_signed_on{center="issuer-sakura",link="standby"} 0
`
	err := testutil.CollectAndCompare(metrics, strings.NewReader(want), "cardswitch_link_in_flight",
		"cardswitch_link_received_messages_total", "cardswitch_link_signed_on")
	if err != nil {
		t.Error(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
