package desk

import (
	"errors"
	"sync"

	"interlock/node/casefile"
	"interlock/node/commons"
	"interlock/node/store"
)

// warnings are the warn lists as they stand in the store.
type warnings struct {
	shipped func() (commons.Lists, error) // reads them once

	mu    sync.Mutex
	lists commons.Lists // owned by mu, as are the two below
	at    uint64        // as of this change
	read  bool
}

func newWarnings() *warnings { return &warnings{shipped: sync.OnceValues(commons.Shipped)} }

// in returns the lists that hold in a transaction.
func (w *warnings) in(tx *store.Tx) (commons.Lists, error) {
	at, err := tx.WarnListsChanged()
	if err != nil {
		return commons.Lists{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.read && w.at == at {
		return w.lists, nil
	}
	shipped, err := w.shipped()
	if err != nil {
		return commons.Lists{}, err
	}
	var own []commons.List
	err = tx.WarnLists(func(name, text string) error {
		l, err := commons.Open(name, text)
		own = append(own, l)
		return err
	})
	if err != nil {
		return commons.Lists{}, err
	}
	w.lists, w.at, w.read = shipped.With(own...), at, true
	return w.lists, nil
}

// WarnLists returns what every warn list says of itself.
func (d *Desk) WarnLists() (list []commons.About, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		lists, err := d.warnings.in(tx)
		list = lists.All()
		return err
	})
	return list, err
}

// LoadWarnList takes a warn list of the agency's own, in the place of one with
// the same name. It is what the node's administrator does on its machine.
func (d *Desk) LoadWarnList(name, text string) (commons.About, error) {
	_, err := commons.Open(name, text)
	var wrong *commons.Error
	if errors.As(err, &wrong) {
		return commons.About{}, &casefile.Sentence{Text: wrong.Error(), Hint: "Nothing was loaded."}
	}
	if err != nil {
		return commons.About{}, err
	}
	if err := d.store.Update(func(tx *store.Tx) error { return tx.PutWarnList(name, text) }); err != nil {
		return commons.About{}, d.disk(err)
	}
	lists, err := d.WarnLists()
	for _, a := range lists {
		if a.Name == name {
			return a, err
		}
	}
	return commons.About{}, errors.Join(err, ErrNotFound)
}

// DropWarnList forgets a warn list of the agency's own; a shipped one of its
// name holds again.
func (d *Desk) DropWarnList(name string) error {
	err := d.store.Update(func(tx *store.Tx) error { return tx.DropWarnList(name) })
	if errors.Is(err, store.ErrNotFound) {
		return &casefile.Sentence{
			Text: "The agency has loaded no list of this name.",
			Hint: "A list that came with the program is put out of use by an empty one of its name.",
		}
	}
	return d.disk(err)
}
