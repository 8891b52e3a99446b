package audit

import "fmt"

// Clock says whether the machine's clock was held to a time source (PCI DSS 10.6).
type Clock uint8

const (
	ClockUnknown      Clock = iota // the machine doesn't tell
	ClockSynchronized              // by NTP or PTP, as the kernel says
	ClockFree                      // it runs by itself
	afterClocks
)

func (c Clock) String() string {
	if names := [...]string{"unknown", "synchronized", "free"}; int(c) < len(names) {
		return names[c]
	}
	return ""
}

func parseClock(name string) (Clock, error) {
	for c := range afterClocks {
		if c.String() == name {
			return c, nil
		}
	}
	return 0, fmt.Errorf("no clock is named %q", name)
}
