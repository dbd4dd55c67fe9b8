{{/*
What a pod template includes. Each of these does what the value `use` says, so that a chart
which includes all of them leaves the choice to its user.
*/}}

{{- define "akv-agent.initContainers" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
{{- if eq $settings.use "exec" -}}
{{- include "akv-agent.install" . -}}
{{- else if has $settings.use (list "init" "sidecar") -}}
{{- include "akv-agent.initContainer" . -}}
{{- else -}}
{{- include "akv-agent.nativeSidecar" . -}}
{{- end -}}
{{- end -}}

{{/* To follow the chart's own, so that kubectl takes the app by default. Empty but for `sidecar`. */}}
{{- define "akv-agent.containers" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
{{- if eq $settings.use "sidecar" -}}
{{- include "akv-agent.sidecar" . -}}
{{- end -}}
{{- end -}}

{{- define "akv-agent.volumes" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
- name: akv-agent-config
  configMap:
    name: {{ $settings.configMap }}
{{- if eq $settings.use "exec" }}
- name: akv-agent-bin
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{- else }}
- name: akv-agent-env
  emptyDir:
    medium: Memory
    sizeLimit: {{ $settings.outputVolume.sizeLimit }}
{{- end }}
{{- with $settings.class }}
- name: akv-agent-secrets
  csi:
    driver: secrets-store.csi.k8s.io
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ . }}
{{- end }}
{{- end -}}

{{/* The mounts of the app's container: the outputs, or with `exec` what the agent needs there. */}}
{{- define "akv-agent.volumeMounts" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
{{- if eq $settings.use "exec" -}}
- name: akv-agent-bin
  mountPath: /akv-agent
  readOnly: true
{{ include "akv-agent.mounts.read" $settings }}
{{- else -}}
- name: akv-agent-env
  mountPath: /run/akv-agent
  readOnly: true
{{- end -}}
{{- end -}}

{{/*
The command of the app's container, on one line. Takes a dict with `context`, `command` and,
as everywhere, `agent`.
*/}}
{{- define "akv-agent.command" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
{{- if eq $settings.use "exec" -}}
  {{- if not .command -}}
    {{- fail "akv-agent: exec needs the command of the app's container, because only the image knows what it would run: write the image's entry point there" -}}
  {{- end -}}
  {{- concat (list "/akv-agent/akv-agent" "exec" "--") .command | toJson -}}
{{- else -}}
  {{- .command | default list | toJson -}}
{{- end -}}
{{- end -}}

{{/* Variables of the app's container; empty without `fileKeyRef`. */}}
{{- define "akv-agent.env" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
{{- if $settings.fileKeyRef -}}
{{- range $name, $_ := $settings.config.env }}
- name: {{ $name }}
  valueFrom:
    fileKeyRef:
      volumeName: akv-agent-env
      path: app.env
      key: {{ $name }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Labels of the pod template; empty without a workload identity. */}}
{{- define "akv-agent.podLabels" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
{{- if $settings.workloadIdentity.enabled -}}
azure.workload.identity/use: "true"
{{- end -}}
{{- end -}}

{{/*
Annotations of the pod template. Never empty: an edit of the configuration must roll the pods.
In a dict, `containers` are the names of the chart's own, the app's first: none but the agent's
gets a token of the workload identity.
*/}}
{{- define "akv-agent.podAnnotations" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
akv-agent.io/use: {{ $settings.use }}
{{- if $settings.makesConfigMap }}
checksum/akv-agent-config: {{ include "akv-agent.config" $settings | sha256sum }}
{{- end }}
{{- if $settings.workloadIdentity.enabled }}
{{- $others := hasKey . "context" | ternary (get . "containers") list | default list }}
{{- if eq $settings.use "exec" }}{{- $others = append (rest $others) "install-akv-agent" }}{{- end }}
{{- with $others }}
azure.workload.identity/skip-containers: {{ join ";" . }}
{{- end }}
{{- end }}
{{- end -}}
