{{/*
The agent's containers. Each of these templates gives one, as an item of a list.
*/}}

{{/* Writes the outputs once, and ends. */}}
{{- define "akv-agent.initContainer" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
- name: {{ eq $settings.use "sidecar" | ternary "init-akv-agent" "akv-agent" }}
  {{- include "akv-agent.container.image" $settings | nindent 2 }}
  args: ["init"]
  {{- include "akv-agent.container.env" $settings }}
  {{- include "akv-agent.container.security" $settings | nindent 2 }}
  {{- include "akv-agent.container.mounts" $settings | nindent 2 }}
{{- end -}}

{{/* Keeps the outputs up to date, beside the app; for the list of containers. */}}
{{- define "akv-agent.sidecar" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
- name: akv-agent
  {{- include "akv-agent.container.image" $settings | nindent 2 }}
  args: ["sidecar"]
  {{- include "akv-agent.container.env" $settings }}
  {{- include "akv-agent.container.security" $settings | nindent 2 }}
  {{- include "akv-agent.container.probes" $settings | nindent 2 }}
  {{- include "akv-agent.container.mounts" $settings | nindent 2 }}
{{- end -}}

{{/* The same from before the app's start to after its end; for the list of init containers. */}}
{{- define "akv-agent.nativeSidecar" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
- name: akv-agent
  {{- include "akv-agent.container.image" $settings | nindent 2 }}
  restartPolicy: Always
  {{- if eq $settings.use "exit-restart" }}
  # The kubelet starts every container of the pod anew, this one first, when the agent ends
  # with the code that says "changed".
  restartPolicyRules:
    - action: RestartAllContainers
      exitCodes:
        operator: In
        values: [42]
  {{- end }}
  args: ["sidecar"]
  {{- include "akv-agent.container.env" $settings }}
  {{- include "akv-agent.container.security" $settings | nindent 2 }}
  {{- include "akv-agent.container.probes" $settings | nindent 2 }}
  {{- include "akv-agent.container.mounts" $settings | nindent 2 }}
{{- end -}}

{{/* Brings the binary to the app's own image, for `exec`. */}}
{{- define "akv-agent.install" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
- name: install-akv-agent
  {{- include "akv-agent.container.image" $settings | nindent 2 }}
  args: ["install", "/akv-agent"]
  {{- include "akv-agent.container.security" $settings | nindent 2 }}
  volumeMounts:
    - name: akv-agent-bin
      mountPath: /akv-agent
{{- end -}}

{{- define "akv-agent.container.image" -}}
image: {{ include "akv-agent.image" . }}
{{- with .image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end -}}

{{- define "akv-agent.container.env" -}}
{{- if or .env (eq .use "exit-restart") }}
  env:
  {{- if eq .use "exit-restart" }}
    - name: AKV_AGENT_ON_CHANGE
      value: exit:42
  {{- end }}
  {{- with .env }}
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "akv-agent.container.security" -}}
securityContext:
  runAsNonRoot: true
  {{- with .runAsUser }}
  runAsUser: {{ int64 . }}
  {{- end }}
  {{- with .runAsGroup }}
  runAsGroup: {{ int64 . }}
  {{- end }}
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: ["ALL"]
  seccompProfile:
    type: RuntimeDefault
resources:
  {{- toYaml .resources | nindent 2 }}
{{- end -}}

{{- define "akv-agent.container.probes" -}}
# Passes after the first complete set, for which others wait.
startupProbe:
  exec:
    command: ["akv-agent", "probe", "ready"]
  periodSeconds: 1
  failureThreshold: {{ int64 .startupSeconds }}
livenessProbe:
  exec:
    command: ["akv-agent", "probe", "live"]
  periodSeconds: 30
  timeoutSeconds: 5
{{- end -}}

{{- define "akv-agent.container.mounts" -}}
volumeMounts:
  {{- include "akv-agent.mounts.read" . | nindent 2 }}
  - name: akv-agent-env
    mountPath: /run/akv-agent
{{- end -}}

{{/* What the agent reads, wherever it runs. */}}
{{- define "akv-agent.mounts.read" -}}
- name: akv-agent-config
  mountPath: /etc/akv-agent
  readOnly: true
{{- if .class }}
- name: akv-agent-secrets
  mountPath: /mnt/secrets-store
  readOnly: true
{{- end }}
{{- end -}}
