package rules

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sundew"
)

// Bounds on what is read from a directory.
const (
	maxFile  = 64 << 20 // bytes; lists can be long
	maxFiles = 10_000
)

const apiVersion = "sundew/v1"

// What a file may hold.
const (
	kindRule   = "Rule"
	kindPolicy = "Policy"
	kindList   = "List"
)

var fileKinds = []string{kindRule, kindPolicy, kindList}

// Load reads every .yaml file of fsys, whatever the folder, but for those whose name opens with a dot. root is where fsys stands, for messages only. A directory
// loads as a whole or not at all: the error is of type [Problems] and names everything that is wrong.
func Load(fsys fs.FS, root string) (*Set, error) { return LoadWith(fsys, root, Proposal{}) }

// A Proposal is a change of one rule that is tried out before it is made.
type Proposal struct {
	Rule   string            // its id; "" for no change
	Status string            // instead of the file's; "" for the file's
	Params map[string]string // values instead of the file's, by name; they must be within the limits there
	Text   []byte            // of the file, instead of what the directory has or in addition; nil for the directory's
}

// LoadWith is Load with a change.
func LoadWith(fsys fs.FS, root string, p Proposal) (*Set, error) {
	set, problems := load(fsys, root, p)
	if len(problems) > 0 {
		return nil, problems
	}
	return set, nil
}

// Lint returns what Load would complain about, ordered by place. Of a directory that loads it returns what is missing
// before its active rules should be trusted: a test that matches and one that does not, all passing, words on false
// positives, and a policy for their kind of entity. It returns nil where there is nothing to say.
func Lint(fsys fs.FS, root string) []Problem {
	set, problems := load(fsys, root, Proposal{})
	if len(problems) == 0 {
		problems = set.advice()
	}
	return problems
}

// A file is a document that is being read.
type file struct {
	decoder
	id      string // from the file's name
	version string // short hash of its content
	body    string // the same without status and rollout, of a rule
	kind    string
	root    *yaml.Node

	proposal *Proposal // nil for none
}

// load reads lists first: rules and policies speak of them by name.
func load(fsys fs.FS, root string, p Proposal) (*Set, Problems) {
	files, problems := readFiles(fsys, root)
	files = p.apply(files)
	lists := listNames(files)
	s := &Set{lists: map[string]*list{}}
	places := map[string]*file{}
	for _, f := range files {
		if f.root != nil {
			f.compile(s, lists)
			f.refuseDouble(places)
		}
		problems = append(problems, f.problems...)
	}
	problems.sort()
	if len(problems) > 0 {
		return nil, problems
	}
	s.arrange()
	return s, nil
}

// apply puts the proposal in the place of the file that it changes.
func (p *Proposal) apply(files []*file) []*file {
	if p.Text != nil {
		files = slices.DeleteFunc(files, func(f *file) bool { return f.kind == kindRule && f.id == p.Rule })
		files = append(files, newFile(p.Rule+".yaml", p.Text))
	}
	for _, f := range files {
		if f.kind == kindRule && f.id == p.Rule {
			f.proposal = p
		}
	}
	return files
}

func readFiles(fsys fs.FS, root string) (files []*file, problems Problems) {
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if entry.IsDir() || path.Ext(name) != ".yaml" {
			return nil
		}
		if len(files) == maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
		data, err := readFile(fsys, name, entry)
		if err != nil {
			return err
		}
		files = append(files, newFile(path.Join(root, name), data))
		return nil
	})
	if err != nil {
		problems = append(problems, Problem{Path: cmp.Or(root, "."), Message: "read rules: " + reason(err)})
	}
	return files, problems
}

func readFile(fsys fs.FS, name string, entry fs.DirEntry) ([]byte, error) {
	info, err := entry.Info()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", name, info.Size(), maxFile)
	}
	return fs.ReadFile(fsys, name)
}

// reason drops the operation that a path error opens with.
func reason(err error) string {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Path + ": " + pathError.Err.Error()
	}
	return err.Error()
}

func newFile(name string, data []byte) *file {
	f := &file{
		decoder: decoder{path: name},
		id:      strings.TrimSuffix(path.Base(name), ".yaml"),
		version: shortHash(data),
	}
	f.body, _ = Body(data) // text that is no mapping has no body, which its other problems say
	f.root = f.parse(data)
	if f.root != nil {
		f.kind = scalarAt(f.root, "kind")
	}
	return f
}

// scalarAt peeks at a key of a mapping before it is read in full.
func scalarAt(n *yaml.Node, key string) string {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1].Value
		}
	}
	return ""
}

func listNames(files []*file) []string {
	var names []string
	for _, f := range files {
		if f.kind == kindList && identifier.MatchString(f.id) {
			names = append(names, f.id)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (f *file) compile(s *Set, lists []string) {
	switch f.kind {
	case kindRule:
		s.rules = append(s.rules, f.readRule(f.root, lists))
	case kindPolicy:
		s.policies = append(s.policies, f.readPolicy(f.root, lists))
	case kindList:
		if !identifier.MatchString(f.id) {
			f.note(f.root, "use lower-case letters, digits and _", "list %q cannot be spelled as lists.%s", f.id, f.id)
		}
		s.lists[f.id] = f.readList(f.root)
	case "":
		f.note(f.root, "open the file with apiVersion: sundew/v1 and kind: Rule, Policy or List", "the file has no kind")
	default:
		f.note(f.root, nearest(f.kind, fileKinds), "unknown kind %q", clip(f.kind, 60))
	}
}

var fileID = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// head are the keys that every file opens with.
func (f *file) head(id *string) []field {
	return []field{
		required("apiVersion", f.word(new(string), apiVersion)),
		required("kind", f.text(new(string))),
		required("id", func(n *yaml.Node) {
			f.text(id)(n)
			switch {
			case n == nil:
				f.form = schema{"type": "string", "pattern": fileID.String()}
			case !fileID.MatchString(*id):
				f.note(n, "use lower-case letters, digits, - and _, at most 64", "id %s", shape(n))
			case *id != f.id:
				f.note(n, fmt.Sprintf("rename the file to %s.yaml or the id to %s", *id, f.id), "id %q differs from the file's name", *id)
			}
		}),
	}
}

// refuseDouble refuses a second file of the same kind and id, and a second policy for a kind of entity.
func (f *file) refuseDouble(places map[string]*file) {
	keys := []string{f.kind + " " + f.id}
	if kind, err := sundew.ParseKind(scalarAt(f.root, "entity")); f.kind == kindPolicy && err == nil {
		keys = append(keys, strings.TrimRight(kindPolicy+" for "+kind.String()+" "+scalarAt(f.root, "length"), " "))
	}
	for _, key := range keys {
		if first, double := places[key]; double {
			f.note(f.root, "keep one of them", "%s stands in %s already", key, first.path)
			continue
		}
		places[key] = f
	}
}
