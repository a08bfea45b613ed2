package scoring

import "math/bits"

// outage watches for failures that are not the clients' fault: when the latest logins of most other fingerprints failed
// too, it is the service that fails. Then a failed login says nothing about a fingerprint or a network. Each fingerprint
// has one vote, so that an attack from one tool, however large, is no outage. Who shows many fingerprints can feign one:
// that hides groups, which many fingerprints and networks do anyway, and no address, device or account.
//
// It is updated in the order of the log, before the cells are played. Fingerprints stand by their latest login, the
// latest first.
type outage [fingerprintsWatched]loginsOf

// loginsOf is how the latest logins with one fingerprint went.
type loginsOf struct {
	Hash   uint64
	Last   uint32 // event time in Unix seconds
	Failed uint8  // one bit for each of the latest loginsWatched, the latest lowest
	Known  uint8  // how many there were, at most loginsWatched
}

const (
	fingerprintsWatched = 16
	loginsWatched       = 4
	loginsFailed        = 3 // of loginsWatched: people who mistype do that once in 270
	outageMemory        = 3600
	outageVoters        = 2 // fewer others cannot tell
)

// add takes a login and says whether there is an outage, by what other fingerprints showed before it.
func (o *outage) add(hash uint64, second uint32, failed bool) bool {
	at := len(o) - 1
	voters, failing := 0, 0
	for i := range o {
		l := &o[i]
		if l.Hash == hash {
			at = i
			continue
		}
		if l.Known < loginsWatched || second > l.Last+outageMemory {
			continue
		}
		voters++
		if bits.OnesCount8(l.Failed) >= loginsFailed {
			failing++
		}
	}
	l := o[at]
	if l.Hash != hash {
		l = loginsOf{Hash: hash}
	}
	l.Last, l.Known = max(l.Last, second), min(l.Known+1, loginsWatched)
	l.Failed = l.Failed << 1 & (1<<loginsWatched - 1)
	if failed {
		l.Failed |= 1
	}
	copy(o[1:at+1], o[:at])
	o[0] = l
	return voters >= outageVoters && 2*failing > voters
}
