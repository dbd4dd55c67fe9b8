{{/* For the including chart's NOTES.txt. */}}
{{- define "akv-agent.notes" -}}
{{- $settings := include "akv-agent.settings" . | fromYaml -}}
Secrets by akv-agent, use {{ $settings.use }}:
{{- if eq $settings.use "exec" }}
  the app has the variables in its environment, and is restarted when one has changed.
{{- else if eq $settings.use "init" }}
  the outputs are written once, before the app starts. They do NOT follow a rotation until the
  pod is replaced (kubectl rollout restart).
{{- else if eq $settings.use "exit-restart" }}
  all containers of the pod are started anew, in place, when a secret has changed.
{{- else }}
  the outputs follow every change. What the app does then is up to `onChange` in the configuration.
{{- end }}

What the agent says of itself, without any value:

{{- if eq $settings.use "exec" }}
  kubectl exec --namespace {{ (hasKey . "context" | ternary (get . "context") .).Release.Namespace }} POD -- /akv-agent/akv-agent status
{{- else if eq $settings.use "init" }}
  kubectl logs --namespace {{ (hasKey . "context" | ternary (get . "context") .).Release.Namespace }} POD --container akv-agent
{{- else }}
  kubectl exec --namespace {{ (hasKey . "context" | ternary (get . "context") .).Release.Namespace }} POD --container akv-agent -- akv-agent status
{{- end }}
{{- end -}}
