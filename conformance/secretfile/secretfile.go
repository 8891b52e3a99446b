// Package secretfile reads a file that nobody but its owner may read.
package secretfile

import (
	"fmt"
	"io"
	"os"
)

// Read gives the first bytes of a regular file, most at most. One that others may read is refused.
func Read(name string, most int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others than its owner may read it; chmod 600 it", name)
	}
	return io.ReadAll(io.LimitReader(file, most))
}
