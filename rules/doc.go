// Package rules turns scores into decisions.
//
// Three kinds of file, all YAML, make a [Set]. A Rule says what a sign of abuse looks like: a condition in CEL over the
// features of one entity and the request at hand, the points that it is worth, and tests. A Policy says for one kind of
// entity at how many points which action is taken, for how long. A List names entities that are exempt or worth a tag,
// each with a reason and an end.
//
// An [Engine] runs a Set. It keeps two kinds of reason apart. The calibrated score of the scoring room climbs the ladder
// of the policy on its own; the points of the rules that fired, combined as independent reasons, climb it on their own.
// The harder action wins and the decision says which of the two it rests on.
//
// The engine is a pure function of the scores: time comes from Score.Time, nothing reads a clock, and no result depends
// on the order of a map. The same scores in other batches give the same decisions.
package rules
