package scoring

import (
	"strings"

	"github.com/corazawaf/libinjection-go"
)

// What one request's odd texts may cost. Reading a text for injections takes a time that can grow with the square of its
// length, and the client chooses the text. Behind the limit injections go unseen by this channel; climbs and system files
// do not.
const (
	inspectedBytes = 512
	leastCharge    = 16 // bytes that even the shortest text is charged with
)

// inspect reads a request line as the server will have: decoded, up to twice. odd says whether it has text that an attack
// could hide in, attack whether one does.
func inspect(path, query string) (odd, attack bool) {
	if isPlain(path) && isPlainQuery(query) {
		return false, false
	}
	return inspectClosely(path, query)
}

func inspectClosely(path, query string) (odd, attack bool) {
	if hidden(path) {
		return true, true
	}
	left := inspectedBytes
	look := func(text string) (done bool) {
		if !isOdd(text) {
			return false
		}
		odd = true
		attack = leavesRoot(text) || injects(text[:min(len(text), left)])
		left = max(left-max(len(text), leastCharge), 0)
		return attack
	}
	if path = decoded(path, false); isOdd(path) {
		if leavesRoot(path) {
			return true, true
		}
		for segment := range strings.SplitSeq(path, "/") {
			if look(segment) {
				return true, true
			}
		}
		odd = true
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if look(decoded(name, true)) || look(decoded(value, true)) {
			return true, true
		}
	}
	return odd, false
}

// isPlain is false for every path with which anything could be wrong, encoded or not. Nearly all requests end here.
func isPlain(text string) bool {
	for i := range len(text) {
		switch mark[text[i]] {
		case plainByte:
		case pairedByte:
			if i > 0 && (text[i-1] == text[i] || text[i-1] == '/') {
				return false
			}
		case slashByte:
			if rest := text[i+1:]; strings.HasPrefix(rest, "etc/") || strings.HasPrefix(rest, "proc/") {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// isPlainQuery is isPlain for the names and values of a query.
func isPlainQuery(query string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if !isPlain(name) || !isPlain(value) {
			return false
		}
	}
	return true
}

// What a byte may mean.
const (
	plainByte  = iota
	oddByte    // odd by itself, or once it is decoded
	pairedByte // odd next to another of its kind, and behind a slash
	slashByte  // odd before the names of some folders
)

var mark = func() (of [256]uint8) {
	for _, b := range []byte("'\"`;#<>=*\\$%+") {
		of[b] = oddByte
	}
	of['-'], of['.'], of['/'] = pairedByte, pairedByte, slashByte
	return of
}()

// isOdd finds what plain words, numbers and addresses do without.
func isOdd(text string) bool {
	for i := range len(text) {
		switch text[i] {
		case '\'', '"', '`', ';', '#', '<', '>', '=', '*', '\\', '$':
			return true
		case '-', '.':
			if i > 0 && text[i-1] == text[i] {
				return true
			}
		case '/':
			if strings.HasPrefix(text[i:], "/etc/") || strings.HasPrefix(text[i:], "/proc/") {
				return true
			}
		}
	}
	return false
}

// injects looks for SQL and HTML.
func injects(text string) bool { return guarded(readsAsInjection, text) }

// readsAsInjection asks libinjection, and only about text with a mark that such an injection needs, because without one
// it takes (a or b) and style=red for attacks.
func readsAsInjection(text string) bool {
	if strings.ContainsAny(text, "'\"`;#=") || strings.Contains(text, "--") || strings.Contains(text, "/*") {
		if yes, _ := libinjection.IsSQLi(text); yes {
			return true
		}
	}
	return strings.ContainsAny(text, "<>") && libinjection.IsXSS(text)
}

// guarded keeps a parser of hostile text from ending the program: the same line would end it again at every start. Text
// that breaks the parser was made for that.
func guarded(parser func(string) bool, text string) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = true
		}
	}()
	return parser(text)
}

// leavesRoot finds text that climbs out of the served folder, at least twice, because simple crawlers climb once; and text
// that names what every system has outside of it.
func leavesRoot(text string) bool {
	climbs := 0
	for i := 0; i+2 < len(text); i++ {
		if text[i] == '.' && text[i+1] == '.' && (text[i+2] == '/' || text[i+2] == '\\' || text[i+2] == ';') {
			climbs++
		}
	}
	if climbs >= 2 {
		return true
	}
	for _, file := range [...]string{"/etc/passwd", "/etc/shadow", "/proc/self/", "${jndi:"} {
		if strings.Contains(text, file) {
			return true
		}
	}
	return false
}

// hidden finds a request for what tools leave at the root of a site. Folders below it are left out: people keep such
// files in their own storage.
func hidden(path string) bool {
	name, isHidden := strings.CutPrefix(path, "/.")
	if !isHidden {
		return false
	}
	if end := strings.IndexAny(name, "/.-_"); end >= 0 {
		name = name[:end]
	}
	switch name {
	case "env", "git", "gitignore", "gitconfig", "svn", "hg", "aws", "ssh", "docker", "dockerenv", "kube", "npmrc", "htpasswd", "htaccess", "vscode", "idea", "bash":
		return true
	}
	return false
}

// decoded undoes percent-encoding (RFC 3986), twice where the first time leaves one, because some servers do; form says
// that a plus sign is a space. What is no encoding stays as it is.
func decoded(text string, form bool) string {
	marks := "%"
	if form {
		marks = "%+"
	}
	if !strings.ContainsAny(text, marks) {
		return text
	}
	once := unescape([]byte(text), form)
	return string(unescape(once, false))
}

// unescape works in place.
func unescape(text []byte, form bool) []byte {
	to := 0
	for from := 0; from < len(text); from++ {
		b := text[from]
		switch {
		case b == '+' && form:
			b = ' '
		case b == '%' && from+2 < len(text) && isHex(text[from+1]) && isHex(text[from+2]):
			b = hexDigit(text[from+1])<<4 | hexDigit(text[from+2])
			from += 2
		}
		text[to] = b
		to++
	}
	return text[:to]
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

func hexDigit(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return b&^' ' - 'A' + 10
}
