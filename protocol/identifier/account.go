package identifier

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// RefusedAccount is the answer to what names no account on a platform.
const RefusedAccount Refusal = "This does not name an account; write the platform and the handle, such as kik:name, or paste the profile's web address."

// maxHandle is the longest handle, in characters.
const maxHandle = 64

// canonicalAccount writes platform:handle. It reads that form, a profile's address, and the ways people write an
// account ("Snapchat - name", "name#1234 on Discord"). Platforms that are not known by name are taken as they are
// written, as reports name many.
func canonicalAccount(text string) (string, error) {
	if strings.Contains(text, "/") {
		if page, err := canonicalURL(text); err == nil {
			if p, handle, ok := profile(page); ok {
				return p.account(handle)
			}
		}
	}
	if name, handle, found := strings.Cut(text, ":"); found && !strings.HasPrefix(handle, "//") {
		if value, err := accountForm(strings.TrimSpace(name), handle); err == nil {
			return value, nil
		}
	}
	s := newScan("")
	s.start(text)
	s.findAccounts()
	s.findURLs()
	for _, h := range s.hits {
		if h.kind == Account {
			return h.value, nil
		}
	}
	return "", RefusedAccount
}

// accountForm writes an account from the platform as somebody called it and a handle.
func accountForm(name, handle string) (string, error) {
	name = strings.ToLower(norm.NFKC.String(name))
	p := platformsByWord[name]
	if p == nil && name == "live" {
		return platformsByWord["skype"].account("live:" + handle) // Skype's own handles for Microsoft accounts
	}
	if p == nil {
		if !isPlatformName(name) {
			return "", RefusedAccount
		}
		p = &platform{name: name, shape: shape{marks: " "}}
	}
	return p.account(handle)
}

// isPlatformName accepts a short name in one word that is no URL scheme and no clock time.
func isPlatformName(name string) bool {
	if len(name) < 2 || len(name) > 32 || !isLetter(name[0]) {
		return false
	}
	if _, scheme := defaultPorts[name]; scheme || name == "mailto" || name == "tel" || name == "urn" || name == "data" {
		return false
	}
	return allOf(name, func(c byte) bool { return isAlnum(c) || c == '.' || c == '-' })
}

// account writes the account that has handle on p: compatibility characters replaced (NFKC), and in lower case
// where the platform does not tell the cases apart, which is nearly everywhere.
func (p *platform) account(handle string) (string, error) {
	handle = norm.NFKC.String(strings.TrimSpace(handle))
	handle = strings.TrimPrefix(strings.Trim(handle, "\"'"), "@")
	if p.name == "cashapp" {
		handle = strings.TrimPrefix(handle, "$")
	}
	spaces := strings.Contains(p.shape.marks, " ") || p.name == "xbox" || p.name == "discord"
	if !isHandle(handle, spaces) {
		return "", RefusedAccount
	}
	channel := p.name == "youtube" && len(handle) == 24 && strings.HasPrefix(handle, "UC")
	tag := p.name == "discord" && strings.Contains(handle, "#")
	if !p.shape.exact && !channel && !tag {
		handle = norm.NFKC.String(strings.ToLower(handle))
	}
	return p.name + ":" + handle, nil
}

// isHandle accepts what any platform might have given out.
func isHandle(handle string, spaces bool) bool {
	if handle == "" || utf8.RuneCountInString(handle) > maxHandle || strings.TrimSpace(handle) != handle {
		return false
	}
	for _, r := range handle {
		switch {
		case r == ' ':
			if !spaces {
				return false
			}
		case strings.ContainsRune("/\\<>\"'`", r), !unicode.IsGraphic(r), unicode.IsSpace(r):
			return false
		}
	}
	return handle[0] != '@' && !strings.Contains(handle, "  ")
}
