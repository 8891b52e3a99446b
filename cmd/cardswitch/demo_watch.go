package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cardswitch/conformance/count"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

const (
	screenEvery = 500 * time.Millisecond
	plainEvery  = 2 * time.Second
	countEvery  = 3 * time.Second
	// settleFor is how long the demo waits at its end for what the switch still owes.
	settleFor = 20 * time.Second
)

// watch asks the switch how it is, as any operator could, and shows it.
func (d *demonstration) watch(ctx context.Context) {
	every := screenEvery
	if d.screen == nil {
		every = plainEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var counted time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if d.screen != nil && time.Since(counted) > countEvery {
			if report, err := d.count(); err == nil {
				counted = time.Now()
				d.mu.Lock()
				d.snapshot.Money = report
				d.mu.Unlock()
			}
		}
		d.look(ctx)
	}
}

// look takes one snapshot. A switch that is just ending gives none.
func (d *demonstration) look(ctx context.Context) {
	var status cardswitch.Status
	var links []admin.LinkLine
	var queues []cardswitch.QueueStatus
	if d.client.get(ctx, "/v1/status", nil, &status) != nil ||
		d.client.get(ctx, "/v1/links", nil, &links) != nil ||
		d.client.get(ctx, "/v1/saf", nil, &queues) != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.snapshot.Next(time.Since(d.began), status, links, queues)
	if d.screen == nil {
		d.plain.Show(&d.snapshot)
		return
	}
	shown := d.snapshot
	shown.Rates, shown.Last = slices.Clone(shown.Rates), slices.Clone(shown.Last)
	shown.Events = slices.Clone(shown.Events)
	d.screen.Show(shown)
}

// follow takes the transactions from the journal's tail.
func (d *demonstration) follow(ctx context.Context) {
	if d.screen == nil {
		return
	}
	query := url.Values{"follow": {"1"}, "last": {"0"}}
	response, err := d.client.send(ctx, http.MethodGet, "/v1/journal", query, nil)
	if err != nil {
		return
	}
	defer response.Body.Close()
	lines := json.NewDecoder(response.Body)
	for {
		var line admin.Line
		if lines.Decode(&line) != nil {
			return
		}
		// Network management is on the links' own lines.
		if strings.HasPrefix(line.MTI, "18") {
			continue
		}
		d.mu.Lock()
		d.snapshot.Saw(line)
		d.mu.Unlock()
	}
}

// settle waits until every transaction is closed and every advice delivered.
func (d *demonstration) settle(ctx context.Context) {
	d.mu.Lock()
	d.snapshot.Ending = "delivering what is owed, then counting the money"
	d.mu.Unlock()
	for end := time.Now().Add(settleFor); time.Now().Before(end) && ctx.Err() == nil; {
		status := d.node.active.Load().Status()
		if status.Open == 0 && status.Owed == 0 || status.State == "failed" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// count lays the three books side by side.
func (d *demonstration) count() (*count.Report, error) {
	entries, err := count.FromJournal(d.node.store, d.node.active.Load().admin.Dialect)
	if err != nil {
		return nil, err
	}
	books := count.Books{Receipts: d.town.Receipts(), Switch: entries, Issuers: d.town.Postings()}
	return books.Count(), nil
}
