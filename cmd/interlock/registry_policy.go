package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"interlock/crypto/token"
	"interlock/protocol/directory"
)

// change is the policy with what the command line says of it.
func (c motionPolicyCmd) change(p directory.Policy) (directory.Policy, error) {
	if c.Daily != nil {
		p.Daily = *c.Daily
	}
	if c.Retention != nil {
		p.Retention = int(*c.Retention)
	}
	if c.Refresh != nil {
		p.Refresh = int(*c.Refresh)
	}
	if c.SuspendForks != nil {
		p.SuspendForks = *c.SuspendForks
	}
	if err := c.changeQuotas(&p); err != nil {
		return p, err
	}
	if err := c.changeMuted(&p); err != nil {
		return p, err
	}
	return p, c.changeGroups(&p)
}

func (c motionPolicyCmd) changeQuotas(p *directory.Policy) error {
	quotas := make(map[directory.AgencyID]uint64)
	for _, q := range p.Quotas {
		quotas[q.Agency] = q.Daily
	}
	for name, daily := range c.Quota {
		id, err := directory.ParseAgencyID(name)
		if err != nil {
			return err
		}
		quotas[id] = daily
	}
	for _, name := range c.NoQuota {
		delete(quotas, directory.AgencyID(name))
	}
	p.Quotas = nil
	for _, id := range slices.Sorted(maps.Keys(quotas)) {
		p.Quotas = append(p.Quotas, directory.Quota{Agency: id, Daily: quotas[id]})
	}
	return nil
}

// changeMuted mutes and unmutes tags, as nodes print them.
func (c motionPolicyCmd) changeMuted(p *directory.Policy) error {
	muted := make(map[token.Tag]bool)
	for _, t := range p.Muted {
		muted[t] = true
	}
	for _, text := range c.Mute {
		t, err := parseTag(text)
		if err != nil {
			return err
		}
		muted[t] = true
	}
	for _, text := range c.Unmute {
		t, err := parseTag(text)
		if err != nil {
			return err
		}
		if !muted[t] {
			return errors.New("a tag to unmute is not among the muted ones")
		}
		delete(muted, t)
	}
	p.Muted = slices.SortedFunc(maps.Keys(muted), func(a, b token.Tag) int { return bytes.Compare(a[:], b[:]) })
	return nil
}

func parseTag(text string) (token.Tag, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(token.Tag{}) {
		return token.Tag{}, fmt.Errorf("a tag is %d hexadecimal digits, as `interlock node commons tag` prints them", 2*len(token.Tag{}))
	}
	return token.Tag(b), nil
}

func (c motionPolicyCmd) changeGroups(p *directory.Policy) error {
	groups := make(map[string][]directory.AgencyID)
	for _, g := range p.Groups {
		groups[g.Name] = g.Agencies
	}
	for name, list := range c.Group {
		delete(groups, name)
		var agencies []directory.AgencyID
		for _, text := range strings.FieldsFunc(list, func(r rune) bool { return r == '+' }) {
			id, err := directory.ParseAgencyID(text)
			if err != nil {
				return err
			}
			agencies = append(agencies, id)
		}
		if len(agencies) > 0 {
			slices.Sort(agencies)
			groups[name] = slices.Compact(agencies)
		}
	}
	p.Groups = nil
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		p.Groups = append(p.Groups, directory.Group{Name: name, Agencies: groups[name]})
	}
	return nil
}
