{{/* Deployment of silos or gateways: root, component, role, values. */}}
{{- define "session.silo" -}}
{{- $name := include "session.fullname" .root }}
{{- $clients := eq .component (include "session.clientComponent" .root) }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}-{{ .component }}
  labels:
    {{- include "session.labels" . | nindent 4 }}
spec:
  {{- if not .values.autoscaling.enabled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  progressDeadlineSeconds: {{ add (int .root.Values.startupSeconds) 420 }}
  # A new pod is ready before an old one goes.
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "session.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "session.labels" . | nindent 8 }}
        session-orleans/process: serve
      annotations:
        kubectl.kubernetes.io/default-container: session
        checksum/config: {{ include "session.configChecksum" .root }}
        checksum/secret: {{ include "session.secretChecksum" .root }}
        {{- with .values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "session.podHead" .root | nindent 6 }}
      {{- with .values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with .values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- include "session.spread" . | nindent 6 }}
      # The process itself stays open for a while after it has become "not ready", and then drains: no preStop hook.
      terminationGracePeriodSeconds: {{ include "session.gracePeriod" .root }}
      containers:
        - name: session
          image: {{ include "session.image" .root }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [serve]
          env:
            - name: SESSION_CONFIG
              value: /etc/session/appsettings.json
            - name: SESSION_Silo__Role
              value: {{ .role }}
            - name: SESSION_Silo__Name
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: SESSION_Silo__AdvertisedAddress
              valueFrom:
                fieldRef:
                  fieldPath: status.podIP
            - name: SESSION_Network__Secret
              valueFrom:
                secretKeyRef:
                  name: {{ include "session.secretName" .root }}
                  key: network-secret
            - name: SESSION_Gateway__AdminToken
              valueFrom:
                secretKeyRef:
                  name: {{ include "session.secretName" .root }}
                  key: admin-token
            {{- include "session.redisEnv" .root | nindent 12 }}
            {{- with .root.Values.telemetry.otlpEndpoint }}
            - name: OTEL_EXPORTER_OTLP_ENDPOINT
              value: {{ . | quote }}
            - name: OTEL_EXPORTER_OTLP_PROTOCOL
              value: {{ $.root.Values.telemetry.otlpProtocol }}
            {{- end }}
            {{- with .root.Values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - name: admin
              containerPort: 22001
            - name: silo
              containerPort: 22010
            {{- if $clients }}
            - name: seed
              containerPort: 22000
            {{- if .root.Values.files.enabled }}
            - name: files
              containerPort: 22002
            {{- end }}
            {{- if .root.Values.communities.enabled }}
            - name: communities
              containerPort: 22003
            {{- end }}
            {{- end }}
          startupProbe:
            httpGet:
              path: /health/startup
              port: admin
            periodSeconds: 2
            timeoutSeconds: 2
            failureThreshold: {{ div (add (int .root.Values.startupSeconds) 1) 2 }}
          readinessProbe:
            httpGet:
              path: /health/ready
              port: admin
            periodSeconds: 3
            timeoutSeconds: 2
            failureThreshold: 2
          # Local to the process: no store and no other silo is asked, so their trouble restarts nobody.
          livenessProbe:
            httpGet:
              path: /health/live
              port: admin
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "session.containerSecurity" . | nindent 12 }}
          volumeMounts:
            - name: config
              mountPath: /etc/session
              readOnly: true
            - name: tls
              mountPath: /etc/session-tls
              readOnly: true
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: config
          configMap:
            name: {{ $name }}
        - name: tls
          secret:
            secretName: {{ include "session.tlsSecretName" .root }}
            defaultMode: 288 # 0440
            optional: false
        - name: tmp
          emptyDir:
            sizeLimit: 256Mi
{{- end }}
