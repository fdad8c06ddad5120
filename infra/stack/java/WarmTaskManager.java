import org.apache.flink.runtime.taskexecutor.TaskManagerRunner;
import pemja.core.PythonInterpreter;
import pemja.core.PythonInterpreterConfig;

/** Flink's TaskManager, which loads Python and the jobs' modules while it waits: a spare takes over in seconds. */
public final class WarmTaskManager {
    private WarmTaskManager() {}

    public static void main(String[] arguments) throws Exception {
        Thread warming = new Thread(WarmTaskManager::warm, "warm-python");
        warming.setDaemon(true);
        warming.start();
        TaskManagerRunner.main(arguments);
    }

    private static void warm() {
        try {
            Thread.sleep(Long.getLong("sluice.warm.after.ms"));
            PythonInterpreterConfig config = PythonInterpreterConfig.newBuilder()
                    .setPythonExec(System.getProperty("sluice.warm.python"))
                    .setExcType(PythonInterpreterConfig.ExecType.MULTI_THREAD)
                    .build();
            try (PythonInterpreter python = new PythonInterpreter(config)) {
                python.exec("from jobs.warm import up; up()");
            }
        } catch (Throwable failure) {
            // A cold TaskManager works, too; it only takes longer to begin.
            System.err.println("WarmTaskManager: Python was not loaded ahead: " + failure);
        }
    }
}
