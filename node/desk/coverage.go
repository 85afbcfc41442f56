package desk

import (
	"time"

	"interlock/node/casefile"
	"interlock/node/store"
	"interlock/protocol/directory"
)

// Covers says which members have compared what a case announces.
type Covers interface {
	Coverage(casefile.CaseID) (Coverage, error)
	// Certificate is the same with the members' signatures, as a JSON text.
	Certificate(casefile.CaseID) ([]byte, error)
}

// Coverage is how far the members have compared what a case announces. It says
// what the absence of an alert means.
type Coverage struct {
	Entries uint64 // the highest number of the case's announcements; 0 if it announces nothing
	Members []Covered
}

// Covered is how far one member has come.
type Covered struct {
	Agency     directory.Agency
	Generation uint32    // of our feed
	Number     uint64    // up to which it has compared that generation; 0 if it has not said
	At         time.Time // when it said so
	Signed     bool      // with its signature, which the certificate holds
	Complete   bool      // everything that the case announces
}

// Coverage returns who has compared what a case announces, and false where
// nobody says.
func (d *Desk) Coverage(by casefile.Officer, id casefile.CaseID) (Coverage, bool, error) {
	if err := d.readable(by, id); err != nil || d.covers == nil {
		return Coverage{}, false, err
	}
	c, err := d.covers.Coverage(id)
	return c, err == nil, err
}

// Certificate returns the coverage of a case as a file to keep. It is ErrNotFound
// where there is none.
func (d *Desk) Certificate(by casefile.Officer, id casefile.CaseID) ([]byte, error) {
	if err := d.readable(by, id); err != nil {
		return nil, err
	}
	if d.covers == nil {
		return nil, ErrNotFound
	}
	return d.covers.Certificate(id)
}

// readable is nil if the officer may see the case.
func (d *Desk) readable(by casefile.Officer, id casefile.CaseID) error {
	return d.store.View(func(tx *store.Tx) error {
		_, err := readable(tx, by, id)
		return err
	})
}
