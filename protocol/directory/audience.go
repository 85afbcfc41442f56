package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Audience says who may hold a feed: every member, a group that the directory
// names, or agencies that the author lists. It never changes: what is to be
// shown to others is withdrawn from one audience and announced to another. The
// author is always in it. The zero value is every member.
type Audience struct{ text string }

const (
	// MaxListed is the most agencies that an audience lists.
	MaxListed = 32
	// MaxAudiences is to how many audiences one agency speaks. How far each is held
	// goes into one message.
	MaxAudiences = 200
)

const (
	groupAudience = "group:"
	listAudience  = "agencies:"
)

// ErrAudience refuses a text that names no audience.
var ErrAudience = errors.New("no audience")

// Everyone is every member.
var Everyone Audience

// GroupAudience is a group of the directory, as it is composed at any time.
func GroupAudience(name string) (Audience, error) {
	id, err := ParseAgencyID(name)
	if err != nil || len(name) > groupNames {
		return Audience{}, fmt.Errorf("%w: group %q", ErrAudience, name)
	}
	return Audience{groupAudience + string(id)}, nil
}

// ListAudience is the agencies listed, in any order.
func ListAudience(agencies ...AgencyID) (Audience, error) {
	list := slices.Compact(slices.Sorted(slices.Values(agencies)))
	if len(list) < 1 || len(list) > MaxListed {
		return Audience{}, fmt.Errorf("%w: %d agencies, want 1 to %d", ErrAudience, len(list), MaxListed)
	}
	parts := make([]string, len(list))
	for i, id := range list {
		if _, err := ParseAgencyID(string(id)); err != nil {
			return Audience{}, fmt.Errorf("%w: %w", ErrAudience, err)
		}
		parts[i] = string(id)
	}
	return Audience{listAudience + strings.Join(parts, ",")}, nil
}

// ParseAudience reads what String wrote, and nothing else.
func ParseAudience(text string) (Audience, error) {
	var a Audience
	var err error
	switch {
	case text == "":
		return Everyone, nil
	case strings.HasPrefix(text, groupAudience):
		a, err = GroupAudience(text[len(groupAudience):])
	case strings.HasPrefix(text, listAudience) && len(text) <= len(listAudience)+MaxListed*(groupNames+1):
		a, err = ListAudience(a.listed(text)...)
	default:
		return Audience{}, fmt.Errorf("%w: of that form", ErrAudience)
	}
	if err == nil && a.text != text {
		return Audience{}, fmt.Errorf("%w: agencies out of order or twice", ErrAudience)
	}
	return a, err
}

func (Audience) listed(text string) []AgencyID {
	var list []AgencyID
	for part := range strings.SplitSeq(text[len(listAudience):], ",") {
		list = append(list, AgencyID(part))
	}
	return list
}

// String is the canonical text: empty, "group:" and a name, or "agencies:" and
// ids, ascending, with commas between.
func (a Audience) String() string { return a.text }

// Group is the name of the directory's group, if the audience is one.
func (a Audience) Group() (string, bool) { return strings.CutPrefix(a.text, groupAudience) }

// Listed is the agencies that the audience lists, nil if it is another.
func (a Audience) Listed() []AgencyID {
	if !strings.HasPrefix(a.text, listAudience) {
		return nil
	}
	return a.listed(a.text)
}

// Admits reports whether a reader may hold the feed of author for this audience,
// as the directory is composed now. Both must be active. Of a group, the author
// must be in it as well: no agency speaks to a group that it is not in.
func (a Audience) Admits(d *Directory, author, reader AgencyID) bool {
	if d == nil || !d.isActive(author) || !d.isActive(reader) {
		return false
	}
	if a == Everyone || author == reader {
		return true
	}
	if name, ok := a.Group(); ok {
		members := d.Policy.Group(name)
		return slices.Contains(members, reader) && slices.Contains(members, author)
	}
	return slices.Contains(a.Listed(), reader)
}

func (d *Directory) isActive(id AgencyID) bool {
	a, ok := d.Agency(id)
	return ok && a.Status == Active
}

// Group is the agencies of a group, none if there is no such group.
func (p Policy) Group(name string) []AgencyID {
	for _, g := range p.Groups {
		if g.Name == name {
			return g.Agencies
		}
	}
	return nil
}

// MarshalText is String, for records on the disk.
func (a Audience) MarshalText() ([]byte, error) { return []byte(a.text), nil }

// UnmarshalText is ParseAudience.
func (a *Audience) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAudience(string(b))
	return err
}
