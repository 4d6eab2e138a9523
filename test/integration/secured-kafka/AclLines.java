// Runs Kafka's own kafka-acls command for each line of standard input, its arguments separated by spaces: one Java for
// all of them. Ends with 1 at the first line that the command refuses.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.kafka.tools.AclCommand;

public class AclLines {
  public static void main(String[] args) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      AclCommand.main(line.trim().split(" +"));
    }
  }
}
