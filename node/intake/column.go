package intake

import (
	"slices"
	"strings"

	"interlock/protocol/identifier"
)

// role is what a column holds.
type role uint8

const (
	free     role = iota // text in which anything may be
	typed                // identifiers of one kind
	hashed               // file hashes of any kind
	account              // handles on one platform
	handle               // handles on the platform that another column names
	platform             // names of platforms
)

// column is what a heading says of the cells below.
type column struct {
	heading string
	role    role
	kind    identifier.Kind // of a typed column
	on      string          // the platform of an account column
	context string          // what to read before a cell of free text, so that the heading counts as words before it
}

// kindWords are the words of headings for kinds of identifiers, tried in this order.
var kindWords = []struct {
	kind  identifier.Kind
	words []string
}{
	{identifier.MD5, []string{"md5"}},
	{identifier.SHA256, []string{"sha256", "sha 256"}},
	{identifier.SHA1, []string{"sha1", "sha 1"}},
	{identifier.Email, []string{"email", "e mail", "mail", "emails", "email address", "courriel", "correo", "mailadresse"}},
	{identifier.IP, []string{"ip", "ips", "ip address", "ipaddress", "ip addr", "ipv4", "ipv6", "src ip", "login ip"}},
	{identifier.Wallet, []string{"wallet", "btc", "bitcoin", "eth", "ethereum", "crypto", "xmr", "monero"}},
	{identifier.Phone, []string{"phone", "phones", "telephone", "tel", "mobile", "cell", "cellphone", "msisdn", "fax", "handy", "telefon",
		"téléphone", "teléfono", "telefone", "celular", "movil", "móvil", "rufnummer", "whatsapp", "caller", "called number", "calling number",
		"phonenumber", "mobilenumber"}},
	{identifier.URL, []string{"url", "urls", "uri", "link", "links", "web address"}},
	{identifier.Domain, []string{"domain", "domains", "hostname"}},
}

// notIdentifier are words of headings that turn an identifier's column into something about it: the type of a phone,
// the date of an e-mail.
var notIdentifier = words(`type model make brand provider carrier verified date time status count notes note name subject body country
	message text owner os version label imei id size location isp city flag server`)

var (
	handleWords   = []string{"username", "usernames", "user name", "user", "handle", "screen name", "screenname", "screen names", "account", "account name", "login", "nickname", "nick", "alias", "user id", "userid", "profile", "gamertag", "account id"}
	platformWords = []string{"platform", "service", "app", "application", "network", "social network", "social media", "provider", "esp", "account type", "site"}
)

// columnsOf reads a heading and returns its columns, and how many of them hold identifiers.
func columnsOf(r record, region identifier.Region) (columns []column, known int) {
	for _, c := range r.cells {
		next := columnOf(c.text)
		if next.role != free && next.role != platform {
			known++
		}
		if context := strings.TrimSpace(c.text) + ": "; len(context) < 64 && len(identifier.Extract(context+"x", region)) == 0 {
			next.context = context
		}
		columns = append(columns, next)
	}
	return columns, known
}

// columnOf says what a column under a heading holds.
func columnOf(heading string) column {
	c := column{heading: strings.TrimSpace(heading)}
	words := strings.Fields(strings.ToLower(strings.NewReplacer("_", " ", "-", " ", ".", " ", "/", " ", "#", " ", "(", " ", ")", " ", ":", " ").Replace(splitCamel(heading))))
	plain := " " + strings.Join(words, " ") + " "
	if strings.Contains(plain, " domain name ") || strings.Contains(plain, " host name ") {
		words = []string{"domain"}
		plain = " domain "
	}
	about := slices.ContainsFunc(words, func(w string) bool { return notIdentifier[w] })
	for _, k := range kindWords {
		if hasWords(plain, k.words) && (!about || k.kind == identifier.MD5 || k.kind == identifier.SHA1 || k.kind == identifier.SHA256) {
			c.role, c.kind = typed, k.kind
			return c
		}
	}
	if hasWords(plain, []string{"hash", "hashes", "file hash", "hash value", "checksum"}) && !about {
		c.role = hashed
		return c
	}
	for _, word := range words {
		name, ok := identifier.PlatformNamed(word)
		if ok && (len(words) == 1 || hasWords(plain, handleWords) || hasWords(plain, []string{"id"})) {
			c.role, c.on = account, name
			return c
		}
	}
	switch {
	case exactly(plain, platformWords):
		c.role = platform
	case exactly(plain, handleWords) || hasWords(plain, []string{"username", "user name", "handle", "screen name", "screenname", "gamertag"}):
		c.role = handle
	}
	return c
}

// splitCamel puts a blank between the words of a heading such as ipAddress.
func splitCamel(heading string) string {
	var out strings.Builder
	for i := range len(heading) {
		if i > 0 && heading[i] >= 'A' && heading[i] <= 'Z' && heading[i-1] >= 'a' && heading[i-1] <= 'z' {
			out.WriteByte(' ')
		}
		out.WriteByte(heading[i])
	}
	return out.String()
}

// hasWords reports one of the phrases in plain, whose words have blanks around them.
func hasWords(plain string, phrases []string) bool {
	return slices.ContainsFunc(phrases, func(phrase string) bool { return strings.Contains(plain, " "+phrase+" ") })
}

// exactly reports plain to be one of the phrases.
func exactly(plain string, phrases []string) bool {
	return slices.Contains(phrases, strings.TrimSpace(plain))
}
