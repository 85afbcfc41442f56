package casefile

import (
	"errors"
	"time"
)

// OfficerName is how an officer signs in, and how the records name them.
type OfficerName string

// Role is what an officer may do at the node.
type Role uint8

// The roles; numbers are stored.
const (
	Investigator  Role = 1 // own cases
	Supervisor    Role = 2 // every case of the agency
	Administrator Role = 3 // the node and its users; no case
)

var roleNames = map[Role]string{Investigator: "officer", Supervisor: "supervisor", Administrator: "administrator"}

func (r Role) String() string { return roleNames[r] }

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	for r, name := range roleNames {
		if name == s {
			return r, nil
		}
	}
	return 0, errors.New("a role is officer, supervisor or administrator")
}

// Officer is somebody who may sign in.
type Officer struct {
	Name     OfficerName
	FullName string
	Role     Role
	Password string // argon2id, PHC string format
	Created  time.Time
}

// ParseOfficerName checks the form of a sign-in name.
func ParseOfficerName(s string) (OfficerName, error) {
	ok := len(s) >= 2 && len(s) <= 32
	for i := 0; i < len(s) && ok; i++ {
		c := s[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && (c == '.' || c == '-')
	}
	if !ok {
		return "", errors.New("a sign-in name is 2 to 32 lower-case letters, digits, dots and hyphens, for example m.okafor")
	}
	return OfficerName(s), nil
}

// MayRead reports whether o may see c.
func (o Officer) MayRead(c Case) bool {
	switch o.Role {
	case Supervisor:
		return true
	case Investigator:
		for _, name := range c.Officers {
			if name == o.Name {
				return true
			}
		}
	}
	return false
}
