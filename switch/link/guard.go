package link

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
)

// guard runs f, and turns a panic into an error: it ends this connection, not the switch.
func guard(logger *slog.Logger, f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = Panicked
			logPanic(logger, cause)
		}
	}()
	return f()
}

// logPanic says what happened without any data. What was panicked with may hold message bytes, and
// a stack trace shows arguments, so neither is printed: the type and the places are.
func logPanic(logger *slog.Logger, cause any) {
	kind := fmt.Sprintf("%T", cause)
	if e, ok := cause.(runtime.Error); ok {
		kind = e.Error() // names indexes and types, never contents
	}
	logger.Error("panic on a link", "kind", kind, "at", places(), "hint", "report this as a bug")
}

// places are the functions and lines that led to a panic.
func places() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var out strings.Builder
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			fmt.Fprintf(&out, "%s:%d ", f.Function, f.Line)
		}
		if !more {
			return strings.TrimSpace(out.String())
		}
	}
}
