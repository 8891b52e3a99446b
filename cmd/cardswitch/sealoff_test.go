package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const sealedEnv = "CARDSWITCH_TEST_SEALED"

// A process that is sealed off leaves no core when it dies of a fault, and says that it can't be
// looked into. The test runs itself again, as that can't be undone here.
func TestSealOff(t *testing.T) {
	if os.Getenv(sealedEnv) != "" {
		if err := sealOff(); err != nil {
			t.Fatal(err)
		}
		var core unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Cur != 0 || core.Max != 0 {
			t.Fatalf("core files of %d bytes are allowed, %v", core.Cur, err)
		}
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil || n != 0 {
			t.Fatalf("dumpable is %d, %v", n, err)
		}
		signalSelf(t)
	}
	command := exec.Command(os.Args[0], "-test.run", "^TestSealOff$")
	// Go itself would ask for a core with this.
	command.Env = append(os.Environ(), sealedEnv+"=1", "GOTRACEBACK=crash")
	command.Dir = t.TempDir()
	output, err := command.CombinedOutput()
	status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
	if err == nil || !ok || !status.Signaled() || status.CoreDump() {
		t.Errorf("it ended with %v, core %v:\n%s", err, status.CoreDump(), output)
	}
	if left, err := os.ReadDir(command.Dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

// signalSelf dies as a fault of the machine makes a process die.
func signalSelf(t *testing.T) {
	if err := syscall.Kill(os.Getpid(), syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	select {}
}
