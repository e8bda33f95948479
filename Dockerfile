# The Web PubSub service alone.
#
#     docker build --tag webpubsub .
#     docker run --publish 8080:8080 --env WEBPUBSUB_ACCESS_KEY=... webpubsub
#
# It needs a key of its own, as the default one is public; more in docs/service.md.

FROM python:3.13-slim AS build
COPY pyproject.toml constraints.txt README.md LICENSE /project/
COPY src /project/src
RUN python -m venv /opt/webpubsub && \
    /opt/webpubsub/bin/pip install --no-cache-dir --constraint /project/constraints.txt "/project[server]"

FROM python:3.13-slim
COPY --from=build /opt/webpubsub /opt/webpubsub
ENV PATH=/opt/webpubsub/bin:$PATH
# A number, so that Kubernetes can tell that it is not root.
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/api/health', timeout=2)"]
ENTRYPOINT ["webpubsub", "service", "--host", "0.0.0.0"]
