package desk

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"interlock/node/casefile"
	"interlock/node/store"
)

// ErrSignedOut is the answer to a session that is not, or no longer, one.
var ErrSignedOut = errors.New("signed out")

// How long a session lasts.
const (
	SessionLife = 12 * time.Hour
	SessionIdle = time.Hour
	touchEvery  = 5 * time.Minute // a session's use is written no more often
)

// Session is the secret that a browser holds; the store knows its hash.
type Session [32]byte

func (s Session) hash() [sha256.Size]byte { return sha256.Sum256(s[:]) }

// String keeps the secret out of logs.
func (Session) String() string { return "[session]" }

// SignIn starts a session. A wrong name and a wrong password are one sentence,
// and take one time.
func (d *Desk) SignIn(name, password string) (casefile.Officer, Session, error) {
	var o casefile.Officer
	err := d.store.View(func(tx *store.Tx) (err error) {
		if n, bad := casefile.ParseOfficerName(name); bad == nil {
			o, err = tx.Officer(n)
		}
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return casefile.Officer{}, Session{}, err
	}
	if right, err := d.verifyPassword(password, o.Password); err != nil {
		return casefile.Officer{}, Session{}, err
	} else if !right {
		return casefile.Officer{}, Session{}, &casefile.Sentence{
			Text: "The name or the password is not right.", Hint: "Ask the node's administrator if you have lost yours.",
		}
	}
	var s Session
	if _, err := rand.Read(s[:]); err != nil {
		return casefile.Officer{}, Session{}, err
	}
	err = d.store.Update(func(tx *store.Tx) error {
		if err := tx.EndSessions(d.ended); err != nil {
			return err
		}
		return tx.PutSession(s.hash(), store.Session{Officer: o.Name, Started: d.now(), Used: d.now()})
	})
	return o, s, d.disk(err)
}

func (d *Desk) ended(s store.Session) bool {
	return d.now().Sub(s.Started) > SessionLife || d.now().Sub(s.Used) > SessionIdle
}

// Session returns whose session it is, or ErrSignedOut.
func (d *Desk) Session(s Session) (casefile.Officer, error) {
	var o casefile.Officer
	var have store.Session
	err := d.store.View(func(tx *store.Tx) (err error) {
		if have, err = tx.Session(s.hash()); err != nil {
			return err
		}
		o, err = tx.Officer(have.Officer)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && d.ended(have) {
		return casefile.Officer{}, ErrSignedOut
	}
	if err != nil {
		return casefile.Officer{}, err
	}
	if d.now().Sub(have.Used) > touchEvery {
		err = d.touch(s)
	}
	return o, err
}

// touch keeps a session in use alive. A disk that takes no writes does not
// sign anybody out.
func (d *Desk) touch(s Session) error {
	err := d.store.Update(func(tx *store.Tx) error {
		have, err := tx.Session(s.hash())
		if errors.Is(err, store.ErrNotFound) {
			return nil // signed out meanwhile
		}
		if err != nil {
			return err
		}
		have.Used = d.now()
		return tx.PutSession(s.hash(), have)
	})
	if errors.Is(err, store.ErrDisk) {
		return nil
	}
	return err
}

// SignOut ends a session.
func (d *Desk) SignOut(s Session) error {
	return d.disk(d.store.Update(func(tx *store.Tx) error { return tx.DeleteSession(s.hash()) }))
}

// AddOfficer gives somebody an account.
func (d *Desk) AddOfficer(o casefile.Officer, password string) error {
	if err := CheckPassword(password); err != nil {
		return err
	}
	var err error
	if o.Password, err = d.hashPassword(password); err != nil {
		return err
	}
	o.Created = d.now()
	return d.disk(d.store.Update(func(tx *store.Tx) error {
		if _, err := tx.Officer(o.Name); err == nil {
			return &casefile.Sentence{Text: "There is already an account with this name."}
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return tx.PutOfficer(o)
	}))
}

// SetPassword gives an account another password and ends its sessions.
func (d *Desk) SetPassword(name casefile.OfficerName, password string) error {
	if err := CheckPassword(password); err != nil {
		return err
	}
	hashed, err := d.hashPassword(password)
	if err != nil {
		return err
	}
	return d.disk(d.store.Update(func(tx *store.Tx) error {
		o, err := tx.Officer(name)
		if errors.Is(err, store.ErrNotFound) {
			return &casefile.Sentence{Text: "There is no account with this name."}
		}
		if err != nil {
			return err
		}
		o.Password = hashed
		if err := tx.EndSessions(func(s store.Session) bool { return s.Officer == name }); err != nil {
			return err
		}
		return tx.PutOfficer(o)
	}))
}

// ChangePassword is SetPassword by the officer, who knows the old one.
func (d *Desk) ChangePassword(by casefile.Officer, old, password string) error {
	if right, err := d.verifyPassword(old, by.Password); err != nil {
		return err
	} else if !right {
		return &casefile.Sentence{Text: "The old password is not right."}
	}
	return d.SetPassword(by.Name, password)
}

// Officers lists every account.
func (d *Desk) Officers() ([]casefile.Officer, error) {
	var list []casefile.Officer
	err := d.store.View(func(tx *store.Tx) error {
		return tx.Officers(func(o casefile.Officer) error {
			list = append(list, o)
			return nil
		})
	})
	return list, err
}
