package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"go.yaml.in/yaml/v3"

	"sundew"
)

// Bounds on one condition. The cost is CEL's estimate for the longest request that an event can hold.
const (
	maxCost       = 2_000_000
	maxExpression = 16 << 10 // bytes
	maxPattern    = 2 << 10  // bytes of one regular expression
)

var errNotNative = errors.New("a list or evidence has no Go form in a condition")

// A condition is a compiled expression. It holds nothing of a score and may be shared.
type condition struct {
	text    string
	program cel.Program
	ast     *ast.AST
	fast    test   // the same as a closure; nil for an unusual shape
	cost    uint64 // upper estimate, in CEL's units
}

// holds evaluates the condition. An error, such as a division by zero, is one of the rule, not of the request.
func (c *condition) holds(v *view) (bool, error) {
	if c.fast != nil {
		return c.fast(v), nil
	}
	return c.interpret(v)
}

// interpret runs the CEL program.
func (c *condition) interpret(v *view) (bool, error) {
	out, _, err := c.program.Eval(v)
	if err != nil {
		return false, err
	}
	return out == types.True, nil
}

// A dialect is what the conditions of one rule may be written in: variables, parameters, lists and functions.
type dialect struct {
	env  *cel.Env
	vars map[string]*variable
}

// newDialect declares the vocabulary of an entity kind with the parameters of a rule and the lists of the set.
func newDialect(kind sundew.Kind, params map[string]ref.Val, lists []string) (*dialect, error) {
	d := &dialect{vars: map[string]*variable{}}
	options := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(64),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(2)),
		cel.Variable("evidence", cel.MapType(cel.StringType, cel.DoubleType)),
		cel.Function("decode", cel.Overload("decode_string", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(func(text ref.Val) ref.Val { return types.String(decodeText(string(text.(types.String)))) }))),
		cel.Function("cidr", cel.Overload("cidr_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(cidr))),
	}
	all := vocabulary(kind)
	for i := range all {
		d.vars[all[i].name] = &all[i]
		options = append(options, cel.Variable(all[i].name, all[i].celType()))
	}
	for name, value := range params {
		options = append(options, cel.Variable(name, value.Type().(*cel.Type)))
	}
	for _, name := range lists {
		options = append(options, cel.Variable("lists."+name, cel.ListType(cel.DynType)))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("declare the vocabulary: %w", err)
	}
	d.env = env
	return d, nil
}

func cidr(address, network ref.Val) ref.Val {
	prefix, err := parseNetwork(string(network.(types.String)))
	if err != nil {
		return types.NewErr("cidr: %v", err)
	}
	return types.Bool(inNetwork(string(address.(types.String)), prefix))
}

// condition compiles the expression in a scalar and notes what is wrong with it at its place in the file.
func (f *file) condition(n *yaml.Node, d *dialect) *condition {
	if n == nil {
		return nil
	}
	checked, issues := d.env.Compile(n.Value)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			line, column := f.place(n, e.Location.Line(), e.Location.Column())
			f.noteAt(line, column, hintFor(e, n.Value, d.vars), "%s", firstLine(e.Message))
		}
		return nil
	}
	if checked.OutputType() != cel.BoolType {
		f.note(n, "compare with something", "a condition is true or false, this one is %s", checked.OutputType())
		return nil
	}
	c := &condition{text: strings.TrimSpace(n.Value), ast: checked.NativeRep()}
	if !f.checkParts(n, c.ast) {
		return nil
	}
	estimate, err := d.env.EstimateCost(checked, sizes{})
	if err != nil {
		f.note(n, "", "cannot estimate the cost: %v", err)
		return nil
	}
	if c.cost = estimate.Max; c.cost > maxCost {
		f.note(n, "split the rule, shorten its patterns or drop the nested loops",
			"the condition may cost %d units for one request, at most %d are allowed", c.cost, maxCost)
		return nil
	}
	c.program, err = d.env.Program(checked, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		f.note(n, "", "%v", err)
		return nil
	}
	return c
}

// checkParts refuses what the type checker lets pass: a condition that asks for nothing, and patterns or networks that
// are not written out, which nobody could check before they meet an attacker's text.
func (f *file) checkParts(n *yaml.Node, tree *ast.AST) bool {
	before := len(f.problems)
	asks := false
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		asks = asks || e.Kind() == ast.IdentKind
		if e.Kind() == ast.ComprehensionKind && isList(e.AsComprehension().IterRange()) {
			f.note(n, "ask with in", "a condition cannot walk through a list")
		}
		if e.Kind() != ast.CallKind {
			return
		}
		place := func() (int, int) {
			at := tree.SourceInfo().GetStartLocation(e.ID())
			return f.place(n, at.Line(), at.Column())
		}
		call := e.AsCall()
		switch call.FunctionName() {
		case "matches":
			pattern, literal := literalText(call.Args()[len(call.Args())-1])
			line, column := place()
			if problem := checkPattern(pattern, literal); problem != "" {
				f.noteAt(line, column, "", "%s", problem)
			}
		case "cidr":
			network, literal := literalText(call.Args()[1])
			line, column := place()
			if _, err := parseNetwork(network); !literal || err != nil {
				f.noteAt(line, column, "", "cidr: the network must be written out, such as \"192.0.2.0/24\"")
			}
		}
	}))
	if !asks {
		f.note(n, "", "the condition asks for nothing, so it is always the same")
	}
	return len(f.problems) == before
}

func isList(e ast.Expr) bool {
	return e.Kind() == ast.IdentKind && strings.HasPrefix(e.AsIdent(), "lists.")
}

func literalText(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}

func checkPattern(pattern string, literal bool) string {
	if !literal {
		return "matches: the pattern must be written out"
	}
	if len(pattern) > maxPattern {
		return fmt.Sprintf("matches: the pattern has %d bytes, at most %d are allowed", len(pattern), maxPattern)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return "matches: " + err.Error()
	}
	return ""
}

// hintFor knows the mistakes that people make first.
func hintFor(e *cel.Error, source string, vars map[string]*variable) string {
	message := e.Message
	switch {
	case strings.Contains(message, "did you mean"):
		return ""
	case strings.Contains(message, "undeclared reference"):
		return hintForName(nameAt(source, e.Location.Line(), e.Location.Column()), vars)
	case strings.Contains(message, "no matching overload") && strings.Contains(message, "double") && strings.Contains(message, "int"):
		return "features are decimal numbers: write 5.0, not 5, in arithmetic"
	case strings.Contains(message, "Syntax error") && (strings.Contains(message, "'and'") || strings.Contains(message, "'or'") || strings.Contains(message, "'not'")):
		return "write &&, || and !"
	}
	return ""
}

func hintForName(name string, vars map[string]*variable) string {
	kind, feature, _ := strings.Cut(name, ".")
	if _, err := sundew.ParseKind(kind); err == nil {
		for _, info := range sundew.Catalogue {
			if info.Name == feature {
				return fmt.Sprintf("%s is a feature of another kind of entity than the rule's", name)
			}
		}
	}
	return nearest(name, sortedKeys(vars))
}

// nameAt returns the dotted name that stands at a place of an expression, line from 1 and column from 0.
func nameAt(source string, line, column int) string {
	lines := strings.Split(source, "\n")
	if line < 1 || line > len(lines) || column < 0 || column > len(lines[line-1]) {
		return ""
	}
	rest := lines[line-1][column:]
	end := strings.IndexFunc(rest, func(r rune) bool {
		return r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end < 0 {
		return rest
	}
	return rest[:end]
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// sizes bounds what CEL's cost estimate cannot know: how long text of a request can be, and that "in" on a list is a
// look-up.
type sizes struct{}

var _ cost.Estimator = sizes{}

func (sizes) EstimateCallCost(function, _ string, _ *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	switch function {
	case operators.In:
		if path := args[len(args)-1].Path(); len(path) > 0 && strings.HasPrefix(path[0], "lists.") {
			return cost.NewCallEstimate(cost.FixedCostEstimate(1), nil)
		}
	case "decode":
		size := textSize
		return cost.NewCallEstimate(cost.RangedCostEstimate(1, decodeRounds*sundew.MaxText/10), &size)
	case "cidr":
		return cost.NewCallEstimate(cost.FixedCostEstimate(10), nil)
	}
	return nil
}

var textSize = cost.SizeEstimate{Min: 0, Max: sundew.MaxText}

func (sizes) EstimateSize(element cost.AstNode) *cost.SizeEstimate {
	path := element.Path()
	switch {
	case len(path) == 0:
		return nil
	case strings.HasPrefix(path[0], "lists.") && len(path) == 1:
		return &cost.SizeEstimate{Min: 0, Max: maxListEntries}
	case path[0] == "evidence" && len(path) == 1:
		return &cost.SizeEstimate{Min: 0, Max: 32}
	case element.Type() == types.StringType && slices.Contains(longTexts, path[0]):
		return &textSize
	case element.Type() == types.StringType:
		return &cost.SizeEstimate{Min: 0, Max: sundew.MaxID}
	}
	return nil
}

// longTexts are the variables that hold up to sundew.MaxText bytes; the others hold at most sundew.MaxID.
var longTexts = []string{"url.path", "url.query", "http.route", "user_agent.original", "http.request.header.referer", "client.forwarded"}
