# Two stages: the toolchain builds one static binary, and nothing else of it is shipped.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY lcs lcs
COPY scheduler scheduler
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/curfew ./cmd/curfew \
 && mkdir -p /out/state

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/curfew /usr/local/bin/curfew
# The state belongs to the user the daemon runs as, also in a fresh volume.
COPY --from=build --chown=65532:65532 /out/state /var/lib/curfew
COPY schedules.yaml /etc/curfew/schedules.yaml
ENV CURFEW_CONFIG=/etc/curfew/schedules.yaml \
    CURFEW_DATABASE=/var/lib/curfew/curfew.db \
    CURFEW_LISTEN=0.0.0.0:8080 \
    CURFEW_LOG_FORMAT=json
VOLUME /var/lib/curfew
EXPOSE 8080
USER 65532:65532
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/local/bin/curfew", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/curfew"]
CMD ["serve"]
