package stage

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Metrics are the figures of the running switch, those of all centers and links added up.
func (s *Stage) Metrics() (map[string]float64, error) {
	client := http.Client{Timeout: 2 * time.Second} // it may stand still
	response, err := client.Get("http://" + s.HTTP + "/metrics")
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("stage: metrics of the switch: %s %w", response.Status, err)
	}
	sums := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || strings.HasPrefix(line, "#") {
			continue
		}
		var v float64
		fmt.Sscan(fields[1], &v)
		name, _, _ := strings.Cut(fields[0], "{")
		sums[name] += v
	}
	return sums, nil
}

// Owing is what the switch itself says is unfinished: transactions that wait for an answer and
// advices that wait for delivery, and what is on the work list.
func (s *Stage) Owing() (open, shelved int, err error) {
	m, err := s.Metrics()
	return int(m["cardswitch_owed"] + m["cardswitch_open_transactions"]),
		int(m["cardswitch_worklist"]), err
}
