package store

// PutWarnList keeps a warn list of the agency's own.
func (tx *Tx) PutWarnList(name, text string) error {
	if _, err := tx.next(warnLists); err != nil {
		return err
	}
	return tx.set(key(tableWarnList, []byte(name)), []byte(text))
}

// DropWarnList forgets a warn list, or returns ErrNotFound.
func (tx *Tx) DropWarnList(name string) error {
	k := key(tableWarnList, []byte(name))
	if _, err := tx.get(k); err != nil {
		return err
	}
	if _, err := tx.next(warnLists); err != nil {
		return err
	}
	return tx.delete(k)
}

// WarnLists calls f with every warn list of the agency's own, by name.
func (tx *Tx) WarnLists(f func(name, text string) error) error {
	prefix := []byte{tableWarnList}
	return tx.scan(prefix, prefix, func(k, v []byte) error { return f(string(k[1:]), string(v)) })
}

// warnLists is the sequence that counts changes of the agency's warn lists.
const warnLists = "warn lists"

// WarnListsChanged is how often the agency's warn lists have changed.
func (tx *Tx) WarnListsChanged() (uint64, error) { return tx.sequence(warnLists) }
