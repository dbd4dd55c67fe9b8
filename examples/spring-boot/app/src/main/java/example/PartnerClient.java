package example;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.springframework.cloud.context.config.annotation.RefreshScope;
import org.springframework.stereotype.Component;

/**
 * Stands in for what is built from a secret once and is then used: a client, a connection pool. It signs messages with the
 * password.
 *
 * <p>A refresh throws it away, and the next use builds another.
 */
@Component
@RefreshScope
public class PartnerClient {

    private final SecretKeySpec key;

    public PartnerClient(ExampleProperties properties) {
        this.key = new SecretKeySpec(properties.getPassword().getBytes(StandardCharsets.UTF_8), "HmacSHA256");
    }

    /** The HMAC-SHA-256 of the message, in hexadecimal digits. */
    public String sign(String message) throws GeneralSecurityException {
        Mac mac = Mac.getInstance(key.getAlgorithm());
        mac.init(key);
        return HexFormat.of().formatHex(mac.doFinal(message.getBytes(StandardCharsets.UTF_8)));
    }
}
