{{/* The objects that the agent needs, each a document; what exists already is left out. */}}
{{- define "akv-agent.objects" -}}
{{- include "akv-agent.configMap" . }}
{{- include "akv-agent.secretProviderClass" . }}
{{- end -}}

{{- define "akv-agent.configMap" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
{{- if $settings.makesConfigMap }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $settings.name }}
  labels:
    {{- include "akv-agent.labels" . | nindent 4 }}
data:
  config.yaml: |
    {{- include "akv-agent.config" $settings | nindent 4 }}
{{- end }}
{{- end -}}

{{/* The configuration file: the user's, with the two keys that this chart knows better. */}}
{{- define "akv-agent.config" -}}
{{- $config := deepCopy .config -}}
{{- if and .class (not $config.mount) -}}
  {{- $_ := set $config "mount" "/mnt/secrets-store" -}}
{{- end -}}
{{- if and (ne .use "exec") (not $config.outputs) -}}
  {{- $output := dict "envFile" "/run/akv-agent/app.env" -}}
  {{- if .fileKeyRef -}}{{- $_ := set $output "format" "kubelet" -}}{{- end -}}
  {{- $_ := set $config "outputs" (list $output) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "akv-agent.secretProviderClass" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
{{- if $settings.makesClass }}
---
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: {{ $settings.name }}
  labels:
    {{- include "akv-agent.labels" . | nindent 4 }}
spec:
  provider: azure
  parameters:
    {{- range $key, $value := $settings.secretProviderClass.parameters }}
    {{ $key }}: {{ $value | quote }}
    {{- end }}
    # A string that holds YAML whose entries are strings that hold YAML.
    objects: |
      array:
        {{- range $object := $settings.secretProviderClass.objects }}
        - |
          {{- if kindIs "string" $object }}
          objectName: {{ $object }}
          objectType: secret
          {{- else }}
          {{- mergeOverwrite (dict "objectType" "secret") $object | toYaml | nindent 10 }}
          {{- end }}
        {{- end }}
{{- end }}
{{- end -}}

{{- define "akv-agent.labels" -}}
{{- $context := hasKey . "context" | ternary (get . "context") . -}}
app.kubernetes.io/name: akv-agent
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: secrets
app.kubernetes.io/part-of: {{ $context.Chart.Name }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" }}
{{- end -}}
