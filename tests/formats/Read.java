import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Properties;

/** Prints what java.util.Properties makes of a file, a line each: the name and the value in Base64. */
class Read {
    public static void main(String[] arguments) throws IOException {
        Path file = Path.of(arguments[1]);
        Properties properties = new Properties();
        if (arguments[0].equals("bytes")) {
            try (var stream = Files.newInputStream(file)) {
                properties.load(stream);
            }
        } else {
            try (var reader = Files.newBufferedReader(file)) {
                properties.load(reader);
            }
        }
        for (String name : properties.stringPropertyNames()) {
            byte[] value = properties.getProperty(name).getBytes(StandardCharsets.UTF_8);
            System.out.println(name + " " + Base64.getEncoder().encodeToString(value));
        }
    }
}
