package bench

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// metrics are the samples of one scrape: the series as text, name and labels, and its value.
type metrics map[string]float64

// scrape reads the switch's /metrics.
func scrape(address string) (metrics, error) {
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return nil, fmt.Errorf("bench: metrics of the switch: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("bench: metrics of the switch: %s %w", response.Status, err)
	}
	return parseMetrics(string(text)), nil
}

func parseMetrics(text string) metrics {
	m := metrics{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		cut := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || cut < 0 {
			continue
		}
		if value, err := strconv.ParseFloat(line[cut+1:], 64); err == nil {
			m[line[:cut]] = value
		}
	}
	return m
}

// sum adds the series of a name that have all the labels, each given as `label="value"`.
func (m metrics) sum(name string, labels ...string) float64 {
	total := 0.0
next:
	for series, value := range m {
		if series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(series, label) {
				continue next
			}
		}
		total += value
	}
	return total
}
