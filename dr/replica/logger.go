package replica

import (
	"fmt"
	"log/slog"
)

// raftLog gives raft's talk to the log. What raft calls a panic is one: the replica stops.
type raftLog struct{ log *slog.Logger }

func (l raftLog) Debug(v ...any)                 {}
func (l raftLog) Debugf(format string, v ...any) {}
func (l raftLog) Info(v ...any)                  {}
func (l raftLog) Infof(format string, v ...any)  {}

func (l raftLog) Warning(v ...any) { l.log.Warn("cluster", "warning", fmt.Sprint(v...)) }
func (l raftLog) Warningf(format string, v ...any) {
	l.log.Warn("cluster", "warning", fmt.Sprintf(format, v...))
}
func (l raftLog) Error(v ...any) { l.log.Error("cluster", "error", fmt.Sprint(v...)) }
func (l raftLog) Errorf(format string, v ...any) {
	l.log.Error("cluster", "error", fmt.Sprintf(format, v...))
}

func (l raftLog) Fatal(v ...any)                 { panic(fmt.Sprint(v...)) }
func (l raftLog) Fatalf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }
func (l raftLog) Panic(v ...any)                 { panic(fmt.Sprint(v...)) }
func (l raftLog) Panicf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }
