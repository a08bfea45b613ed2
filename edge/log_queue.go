package edge

import "container/heap"

// A queue holds records by the time they are due. The zero value is empty and ready.
type queue struct{ records dueOrder }

func (q *queue) len() int { return len(q.records) }

// first returns the record that is due first, nil if there is none.
func (q *queue) first() *record {
	if len(q.records) == 0 {
		return nil
	}
	return q.records[0]
}

func (q *queue) push(r *record) { heap.Push(&q.records, r) }

// remove takes out a record that is in the queue.
func (q *queue) remove(r *record) { heap.Remove(&q.records, r.place) }

// dueOrder is a heap (container/heap) whose records know their place.
type dueOrder []*record

func (o dueOrder) Len() int           { return len(o) }
func (o dueOrder) Less(i, j int) bool { return o[i].due.Before(o[j].due) }
func (o dueOrder) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].place, o[j].place = i, j
}

// Push appends x, a *record.
func (o *dueOrder) Push(x any) {
	r := x.(*record)
	r.place = len(*o)
	*o = append(*o, r)
}

// Pop removes the last record.
func (o *dueOrder) Pop() any {
	last := len(*o) - 1
	r := (*o)[last]
	(*o)[last] = nil
	*o = (*o)[:last]
	return r
}
