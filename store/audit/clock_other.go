//go:build !linux

package audit

func clockNow() Clock { return ClockUnknown }
