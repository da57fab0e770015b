{{/* The labels of every object, as in manifests/base. */}}
{{- define "spark-swap.labels" -}}
app.kubernetes.io/name: spark-swap
app.kubernetes.io/component: webhook
{{- end }}

{{/* An object as it is written in files/, in the namespace of the release. */}}
{{- define "spark-swap.in-namespace" -}}
{{- $namespace := printf "namespace: %s\n" (.release.Namespace | quote) -}}
{{- .text | replace "namespace: spark-swap\n" $namespace -}}
{{- end }}

{{/* The image by its digest, else by its tag. */}}
{{- define "spark-swap.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}
