{{- define "curfew.name" -}}
{{- if contains "curfew" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-curfew" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "curfew.selector" -}}
app.kubernetes.io/name: curfew
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: daemon
{{- end }}

{{- define "curfew.labels" -}}
app.kubernetes.io/name: curfew
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "curfew.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "curfew.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "curfew.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "curfew.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "curfew.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where kubectl finds the API token in what it prints of the secrets: an object for one, a list for more. */}}
{{- define "curfew.tokenPath" -}}
{ {{- if gt (len .Values.secrets.existing) 1 }}.items[*]{{ end }}.data.{{ replace "." "\\." .Values.secrets.apiToken -}} }
{{- end }}

{{/* What cannot be said in the schema: values that exclude or need each other. */}}
{{- define "curfew.check" -}}
{{- $pg := .Values.database.postgres }}
{{- if and .Values.schedules .Values.schedulesConfigMap }}{{ fail "schedules and schedulesConfigMap are both set: unset one of them" }}{{ end }}
{{- if not (or .Values.schedules .Values.schedulesConfigMap) }}{{ fail "there is no schedule file: --set-file schedules=schedules.yaml, or name a ConfigMap in schedulesConfigMap" }}{{ end }}
{{- if eq .Values.database.kind "postgres" }}
{{- if eq (empty $pg.url) (empty $pg.urlKey) }}{{ fail "database.kind is postgres: set either database.postgres.url, or database.postgres.urlKey to the key of a secret that holds the URL" }}{{ end }}
{{- end }}
{{- if and (or .Values.secrets.apiToken .Values.secrets.secretKey (and (eq .Values.database.kind "postgres") $pg.urlKey)) (not .Values.secrets.existing) }}{{ fail "a key of a secret is named, and no secret: list those that exist in secrets.existing" }}{{ end }}
{{- end }}
