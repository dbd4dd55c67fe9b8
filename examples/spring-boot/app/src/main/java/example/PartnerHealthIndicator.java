package example;

import org.springframework.boot.health.contributor.AbstractHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.stereotype.Component;

/**
 * Uses the client, as a database's indicator uses its pool. That also builds it after a refresh, which has answered
 * before anybody has tried the new secret.
 */
@Component
public class PartnerHealthIndicator extends AbstractHealthIndicator {

    private final PartnerClient partner;

    public PartnerHealthIndicator(PartnerClient partner) {
        this.partner = partner;
    }

    @Override
    protected void doHealthCheck(Health.Builder health) throws Exception {
        partner.sign("");
        health.up();
    }
}
