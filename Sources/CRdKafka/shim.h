#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/* rd_kafka_producev is variadic and so not visible from Swift. Neither RD_KAFKA_MSG_F_COPY nor _FREE: the payload
 * stays the caller's until its delivery report. On success librdkafka owns `headers`, on an error the caller does. */
static inline rd_kafka_resp_err_t camgate_produce(rd_kafka_t *producer, const char *topic, const void *key,
                                                  size_t key_size, const void *payload, size_t payload_size,
                                                  int64_t timestamp_ms, rd_kafka_headers_t *headers, void *opaque) {
  return rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, key_size),
                           RD_KAFKA_V_VALUE((void *)(uintptr_t)payload, payload_size), RD_KAFKA_V_MSGFLAGS(0),
                           RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_HEADERS(headers),
                           RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
}

/* Variadic in C: the next request of this kind to the mock cluster is answered with `error`. */
static inline void camgate_mock_push_error(rd_kafka_mock_cluster_t *cluster, int16_t api_key,
                                           rd_kafka_resp_err_t error) {
  rd_kafka_mock_push_request_errors(cluster, api_key, 1, error);
}

/* The same for one broker, which answers so much later. */
static inline void camgate_mock_push_broker_error(rd_kafka_mock_cluster_t *cluster, int32_t broker, int16_t api_key,
                                                  rd_kafka_resp_err_t error, int milliseconds) {
  rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, api_key, 1, error, milliseconds);
}
