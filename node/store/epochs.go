package store

import (
	"errors"
	"slices"

	"interlock/crypto/token"
	"interlock/node/casefile"
	"interlock/protocol/directory"
)

// Epochs is which token keys match, as the directory that is in force says, and
// how far our own tokens are made anew under the newest of them. Identifiers up
// to Until that come after Done may have an older token; later ones never had.
type Epochs struct {
	Match       []token.Epoch // ascending; the last one is in force, the other retires
	Done, Until casefile.IdentifierID

	// Daily is how many tokens may be made anew in a day, and Spent how many were
	// on Day: officers' new identifiers are to find a budget.
	Daily, Day, Spent uint64

	// Sweeping is set while what belongs to epochs that match no more is dropped;
	// members up to Swept are done.
	Sweeping bool
	Swept    directory.AgencyID
}

// Current is the epoch that new tokens are made in, 0 before there is a key.
func (e Epochs) Current() token.Epoch {
	if len(e.Match) == 0 {
		return 0
	}
	return e.Match[len(e.Match)-1]
}

// Matches reports whether entries of an epoch are compared.
func (e Epochs) Matches(of token.Epoch) bool { return slices.Contains(e.Match, of) }

// retired reports whether an epoch will never match again; one to come may.
func (e Epochs) retired(of token.Epoch) bool { return len(e.Match) > 0 && of < e.Match[0] }

const epochsName = "epochs"

// Epochs returns what was last written, empty at first. The caller must not
// change the list in it.
func (tx *Tx) Epochs() (Epochs, error) {
	if tx.epochs != nil {
		return *tx.epochs, nil
	}
	e, err := getJSON[Epochs](tx, key(tableMeta, []byte(epochsName)))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Epochs{}, err
	}
	tx.epochs = &e
	return e, nil
}

// PutEpochs writes which epochs match.
func (tx *Tx) PutEpochs(e Epochs) error {
	tx.epochs = &e
	return setJSON(tx, key(tableMeta, []byte(epochsName)), e)
}

// DropFormer forgets the tokens that are not the newest of their identifier.
func (tx *Tx) DropFormer() error {
	return tx.deleteAll([]byte{tableFormer})
}
