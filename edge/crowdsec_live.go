package edge

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"sundew"
)

// live answers GET /v1/decisions: what stands for ip=, range= or value=, or everything. The answer to nothing is the
// word null, which nginx clients compare with.
func (c *crowdsec) live(w http.ResponseWriter, r *http.Request, key Key) {
	v := r.URL.Query()
	q := parseQuery(v)
	items, err := c.selected(v)
	if err != nil {
		c.message(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if v.Get("value") != "" && v.Get("scope") == "" && v.Get("scopes") == "" {
		q.scopes = nil
	}
	now := c.log.now()
	var body []byte
	for _, it := range items {
		t, reason := c.targetOf(&it.decision, key.Tarpit)
		if reason != "" {
			c.metrics.omitted.WithLabelValues(reason).Inc()
			continue
		}
		if !q.matches(t, &it.decision) || !it.decision.InForce(now) || (v.Get("value") != "" && v.Get("value") != t.entity.Key) {
			continue
		}
		body = append(body, ',')
		body = appendCrowdSec(body, t, &it.decision, secondsLeft(&it.decision, now))
	}
	c.metrics.answers.WithLabelValues("live").Inc()
	if len(body) == 0 {
		c.answer(w, r, http.StatusOK, []byte("null"))
		return
	}
	body[0] = '['
	c.answer(w, r, http.StatusOK, append(body, ']'))
}

// selected finds the decisions that ip=, range= and contains= ask for.
func (c *crowdsec) selected(v url.Values) ([]*item, error) {
	var network netip.Prefix
	switch ip, cidr := v.Get("ip"), v.Get("range"); {
	case ip != "":
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			return nil, fmt.Errorf("ip %q: want an address", clipped(ip, sundew.MaxID))
		}
		addr = plainAddr(addr)
		network = netip.PrefixFrom(addr, addr.BitLen())
	case cidr != "":
		var ok bool
		if network, ok = parseNetwork(cidr); !ok {
			return nil, fmt.Errorf("range %q: want CIDR notation", clipped(cidr, sundew.MaxID))
		}
	default:
		return c.log.list().items, nil
	}
	if v.Get("contains") == "false" {
		return c.log.inside(network), nil
	}
	return c.log.around(network), nil
}
