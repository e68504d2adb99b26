# Two stages: the toolchain builds one static binary, and nothing else of it is shipped.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY cmd cmd
COPY internal internal
COPY lcs lcs
COPY scheduler scheduler
ARG VERSION=devel
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/curfew ./cmd/curfew \
 && mkdir -p /out/state

FROM gcr.io/distroless/static-debian12:nonroot
ARG VERSION=devel
ARG REVISION=unknown
LABEL org.opencontainers.image.title="curfew" \
      org.opencontainers.image.description="Starts and stops Dynamics 365 F&O environments through Lifecycle Services, on a schedule" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/static-debian12:nonroot"
COPY --from=build /out/curfew /usr/local/bin/curfew
COPY THIRD_PARTY /usr/share/doc/curfew/THIRD_PARTY
COPY schedules.yaml /etc/curfew/schedules.yaml
# The state belongs to the user the daemon runs as, also in a fresh volume. The database is
# curfew.db of this directory, unless CURFEW_DATABASE or CURFEW_DATABASE_FILE name another.
COPY --from=build --chown=65532:65532 /out/state /var/lib/curfew
WORKDIR /var/lib/curfew
ENV CURFEW_CONFIG=/etc/curfew/schedules.yaml \
    CURFEW_LISTEN=0.0.0.0:8080 \
    CURFEW_LOG_FORMAT=json
VOLUME /var/lib/curfew
EXPOSE 8080
USER 65532:65532
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/local/bin/curfew", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/curfew"]
CMD ["serve"]
