package example;

import java.lang.management.ManagementFactory;
import java.security.GeneralSecurityException;
import java.time.Instant;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** Shows which password the app has, without showing it. (A real app signs nothing for strangers.) */
@RestController
public class PartnerController {

    /** Since when this process runs, how long the password is, and the message signed with it. */
    public record Answer(Instant processStarted, int characters, String signature) {}

    private final ExampleProperties properties;
    private final PartnerClient partner;

    public PartnerController(ExampleProperties properties, PartnerClient partner) {
        this.properties = properties;
        this.partner = partner;
    }

    @GetMapping("/signature")
    public Answer signature(@RequestParam String message) throws GeneralSecurityException {
        Instant started = Instant.ofEpochMilli(ManagementFactory.getRuntimeMXBean().getStartTime());
        return new Answer(started, properties.getPassword().length(), partner.sign(message));
    }
}
