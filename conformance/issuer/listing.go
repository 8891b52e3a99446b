package issuer

import (
	"errors"
	"os"
	"strings"

	"cardswitch/conformance/ledger"
)

// WriteListing writes what counts in a business day of our book, for the switch to compare: JSON if
// the file's name ends so, else CSV.
func (i *Issuer) WriteListing(name, day string) error {
	if name == "" {
		return errors.New("name the file")
	}
	file, err := os.Create(name + ".part") // whoever waits for the file finds all of it
	if err != nil {
		return err
	}
	list := i.options.Ledger.Listing(day, 0)
	if strings.HasSuffix(name, ".json") {
		err = ledger.WriteJSON(file, list)
	} else {
		err = ledger.WriteCSV(file, list)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
