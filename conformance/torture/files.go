package torture

import (
	"text/template"

	"cardswitch/conformance/load/stage"
)

// The files of the partners are those of `cardswitch sim`: what tortures the switch is what anybody
// can start.

func parsed(text string) *template.Template { return template.Must(template.New("").Parse(text)) }

var issuerFile = parsed(`name: {{.Name}}
peer: "` + stage.Institution + `"
seed: {{.Seed}}
kbpk_file: {{printf "%q" .KBPK}}
latency: 0ms..15ms
days: {giver: {{.Giver}}}
links:
{{- range .Link}}
  - name: {{.Name}}
    listen: "{{.Listen}}"
    envelope: {id: {{.ID}}, key_file: {{printf "%q" .Key}}}
{{- end}}
rules:
{{- if .Lie}}
  - {name: a lie, when: {mti: 1200}, chance: 0.05, do: {book: {{.Lie}}}}
{{- end}}
  - {name: no funds, when: {mti: one-of 1100 1200}, chance: 0.04, do: {action: 116}}
  - {name: in part, when: {mti: 1200, de3: prefix 0}, chance: 0.01, do: {amount: 10}}
  - {name: late, when: {mti: one-of 1100 1200}, chance: 0.003, do: {delay: 900ms..1300ms}}
  - {name: silence, when: {mti: one-of 1100 1200 1220 1420}, chance: 0.003, do: {answer: never}}
  - {name: deaf, when: {mti: one-of 1100 1200 1220 1420}, chance: 0.003, do: {ignore: true}}
  - {name: twice, chance: 0.003, do: {answer: twice}}
  - {name: not now, when: {mti: one-of 1220 1420}, chance: 0.02, do: {refuse: 909}}
`)

var merchantFile = parsed(`name: {{.Name}}
acquirer: "{{.Acquirer}}"
peer: "` + stage.Institution + `"
addresses: ["{{.Address}}"]
connections: 4
envelope: {id: {{.ID}}, key_file: {{printf "%q" .Key}}}
kbpk_file: {{printf "%q" .KBPK}}
answer_time: {{.Patience}}
settle: {{.Settle}}
in_flight: 64
rate: {{.Rate}}
seed: {{.Seed}}
mix: {sale: 70, return: 4, authorization: 7, completion: 5, offline: 4, cancel: 6, reduce: 2,
      validity: 2}
cards:
{{- range .Ranges}}
  - {prefix: "{{.Prefix}}", count: 200}
{{- end}}
`)

// standInRules are generous, so that much is decided while an issuer is away.
const standInRules = `rules:
  - name: all
    ranges: ["35699900", "453999", "555599"]
    transactions: ["00", "20"]
    floor: 1000
    most: 50000
    expiry: known
    limits: [{days: 1, count: 20, amount: 500000}]
`
