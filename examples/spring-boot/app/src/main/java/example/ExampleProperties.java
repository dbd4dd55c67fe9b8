package example;

import org.springframework.boot.context.properties.ConfigurationProperties;

/**
 * The settings. A refresh sets them anew in this very object, so it has a setter: a record, or a class that is bound by
 * its constructor, would keep what it was made with.
 */
@ConfigurationProperties("example")
public class ExampleProperties {

    private volatile String password;

    public String getPassword() {
        return password;
    }

    public void setPassword(String password) {
        this.password = password;
    }
}
